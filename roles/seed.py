"""The seed of an empty control state (setting iam_seed): read and rehearsed before a start, made once.

Knows when a control state is to be seeded, and where secrets that were generated are kept. A seeding that was cut short
goes on at the next start; a control state somebody has lived in is left alone.
"""

import json
import os
from collections.abc import Callable
from typing import Final

from app.adapters.cluster.sealing import Sealer
from app.adapters.seed_file import SeedFile
from app.config import Settings
from app.config_secrets import content_of
from app.core.cluster import AccessKey, Account, ClusterState, assembled
from app.core.cluster.restore_transitions import inhabited
from app.core.errors import Corrupt
from app.ports.cluster import Cluster
from app.services.call import Sources
from app.services.identity.commanding import Desk, Identities
from app.services.identity.seeding import Rehearsal, Seeded, Seeding, WrongSeed
from roles.credentials import new_access_key, new_secret_key
from roles.data_dir import DataDir, Refusal, write_durably

KEYS_FILE: Final = "seeded-keys.json"
_PENDING_FILE: Final = "seeding"
Say = Callable[[str], object]


def seed(cluster: Cluster, sealer: Sealer, sources: Sources, settings: Settings, say: Say) -> None:
    """Make what the seed file asks for, once; `say` is told each thing that was made. Raises Refusal, with line and
    reason, before anything is made; StoreError."""
    if settings.iam_seed is None:
        return
    directory = DataDir(settings.data_dir).secrets
    pending, kept = directory / _PENDING_FILE, directory / KEYS_FILE
    if inhabited(cluster.state()) and not pending.exists():
        return
    seeded, rehearsal = rehearsed(cluster.state(), sealer, sources, settings)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_durably(pending, b"")
    if seeded.keys:
        found = json.loads(kept.read_bytes()) if kept.exists() else {}
        found |= {
            whose: {"access_key": one.access_key, "secret_key": one.secret_key} for whose, one in seeded.keys.items()
        }
        write_durably(kept, json.dumps(found, indent=1).encode() + b"\n")
    for command in rehearsal.commands:
        outcome = cluster.submit(command)
        if outcome.error:
            raise Refusal(f"iam_seed: {outcome.error}: {outcome.message}")
    pending.unlink()
    for line in seeded.made:
        say(f"seeded {line}")
    if seeded.keys:
        say(f"secrets that were generated are in {kept}: hand them on, then remove it")


def check(settings: Settings, sealer: Sealer, sources: Sources) -> None:
    """For a first start, before credentials are generated that are said only once. Raises Refusal."""
    if settings.iam_seed is not None:
        account = Account("0" * 12, "0" * 64, "root", "", 0, (AccessKey("root", b""),), root=True)
        rehearsed(assembled(0, [account], (), {}), sealer, sources, settings)


def rehearsed(state: ClusterState, sealer: Sealer, sources: Sources, settings: Settings) -> tuple[Seeded, Rehearsal]:
    """What the file would make of a state. Raises Refusal."""
    assert settings.iam_seed is not None
    file = SeedFile(settings.iam_seed, lambda path: content_of(path, private=True))
    rehearsal = Rehearsal(state)
    desk = Desk(rehearsal, sources, Identities(new_access_key, new_secret_key, os.urandom))
    try:
        return Seeding(desk, sealer.seal).make(file.read()), rehearsal
    except Corrupt as error:
        raise Refusal(f"iam_seed: {error}") from error
    except WrongSeed as error:
        raise Refusal(f"iam_seed: {file.at(error.name)}: {error}") from error
