"""The one pysyncobj this room was proved with: its version and its source.

Knows hashes. consensus.py replaces private methods of the library, so any other source, even a patched build of the
same version, may quietly lose what the simulator proved. Must be imported before anything that touches the library.
"""

from hashlib import sha256
from importlib import metadata, util
from pathlib import Path
from typing import Any, Final

from app.adapters.cluster.raft.contract import WrongLibrary

VERSION: Final = "0.3.17"
SOURCE: Final = {
    "config.py": "fbbc7ff9f18e4d15a7fd563376e42f5bd192956879d4b810b056d5248b955698",
    "fast_queue.py": "8477fe5fdf36d9766df933310d3d66ee953d1afc195b1e6482b3a1498fc517bd",
    "journal.py": "9cf1eaf6acc704581a4cf7d3de330a404403913107adc91c929778b7e3f35edf",
    "monotonic.py": "d116df70e1f81bcab1fb89191fe2fe18486bc25187401d73fd6101cfe686e0a3",
    "node.py": "e4a3f027cd8291f558334bb9c977e952f6b6989e7e1fa1588d3005ef0b990e2c",
    "pickle.py": "e9327780738065cec5d600484b936c91e7c13875206cb584d5ff7f5d0dc9c474",
    "pipe_notifier.py": "587d964bfa5d62320f3541cbb283ff3e282cb2db95e1b8cfd888dc3d53af82aa",
    "poller.py": "f69ac749fb410670282fd9520c5805ffc684c8a5f762a927127753d9be8551e6",
    "serializer.py": "4d39fde2f15000ad8f507ec229ebd4f6a86371b6f84d4dc1439a9cccd52857ee",
    "syncobj.py": "e8bdf06797085d734df86e24ab4802fe87893dff77268565ec036f7ad4a1cfe4",
    "transport.py": "0c9d89f9c4781ec9772df8011d7975a1a4a1a5f541357e12eae85a813e92b50b",
}
"""SHA-256 of every file of the library that takes part."""
_REMEDY: Final = f"install exactly it: pip install --force-reinstall pysyncobj=={VERSION}"


def verify(directory: Path, version: str) -> None:
    """Raise WrongLibrary unless `directory` holds exactly the proved source."""
    if version != VERSION:
        raise WrongLibrary(f"pysyncobj {version} is installed, {VERSION} is needed; {_REMEDY}")
    for name, expected in SOURCE.items():
        try:
            found = sha256((directory / name).read_bytes()).hexdigest()
        except OSError as error:
            raise WrongLibrary(f"pysyncobj's {name} cannot be read ({error}); {_REMEDY}") from error
        if found != expected:
            raise WrongLibrary(f"pysyncobj's {name} is not the source of release {VERSION}; {_REMEDY}")


def _verify_installed() -> None:
    found = util.find_spec("pysyncobj")
    if found is None or found.origin is None:
        raise WrongLibrary(f"pysyncobj is not installed; {_REMEDY}")
    verify(Path(found.origin).parent, metadata.version("pysyncobj"))


def shut_pickle() -> None:
    """Make the library's open pickle raise, in every module that could reach it.

    Nothing of ours goes through it: messages, entries and snapshots have forms of their own. Should a path of the
    library that was overlooked lead there, it ends in an error and not in somebody's code.
    """
    import pysyncobj.journal  # only after it was verified
    import pysyncobj.pickle

    for name in ("load", "loads", "dump", "dumps"):
        setattr(pysyncobj.pickle, name, _refuse)
    pysyncobj.journal.loads = pysyncobj.journal.dumps = _refuse


def _refuse(*_: Any, **__: Any) -> Any:
    raise WrongLibrary("pysyncobj reached for pickle, which this product never lets it use: a bug")


_verify_installed()
