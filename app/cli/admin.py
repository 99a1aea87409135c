"""`zapfs admin`: one command, asked of the admin face, and its answer printed for people or for scripts.

Knows exit codes (0 done, 1 refused, 2 asked wrongly, 3 no answer or not now) and where output goes. Must not know any
subject's words, nor how requests are signed.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from app.cli import admin_identity, waiting
from app.cli.admin_client import AdminClient, Refused, Unreachable
from app.cli.admin_words import word_of
from app.cli.command import INTERRUPTED, complain, say
from app.cli.sizes import amount
from app.cli.tables import fields, table
from app.cli.words import Word
from app.config import Settings
from roles.data_dir import Refusal

_REFUSED: Final = 1
_WRONG: Final = 2
_NOT_NOW: Final = 3
_PIPE_CLOSED: Final = 141  # as shells tell of SIGPIPE


class _Unheard(Exception):
    """What was asked is done; nobody can be told. `code`: the exit code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def run(given: argparse.Namespace, settings: Settings) -> int:
    """One `zapfs admin` command; its exit code, with a line on stderr when it is not 0."""
    word = word_of(given)
    try:
        client = admin_identity.client(given, settings)
        _ask(client, word, given)
        if word.settled is not None and given.wait:
            return _wait(client, word, given)
    except (OSError, ValueError) as error:
        complain(f"what was given cannot be used: {_named(error)}")
        return _WRONG
    except Unreachable as error:
        complain(str(error))
        return _NOT_NOW
    except (Refused, Refusal) as error:
        complain(str(error))
        return _REFUSED
    except KeyboardInterrupt:
        complain("interrupted before there was an answer; what was asked may be done all the same")
        return INTERRUPTED
    except _Unheard as error:
        if error.code != _PIPE_CLOSED:
            complain(str(error))
        return error.code
    return 0


def _named(error: OSError | ValueError) -> str:
    """What was wrong, with the file's name first where it is about one."""
    named = isinstance(error, OSError) and error.filename and error.strerror
    return f"{error.filename}: {error.strerror}" if named else str(error)  # type: ignore[union-attr]


def _ask(client: AdminClient, word: Word, given: argparse.Namespace) -> None:
    """Ask and print. Raises OSError and ValueError for what was given, Refused, _Unheard."""
    chosen = vars(given)
    word.check(chosen)
    target = word.target(chosen)
    if word.saves:
        _save(client.send, word, target, Path(chosen[word.saves]))
        return
    if word.sends:
        text = client.send(word.method, target, Path(chosen[word.sends]).read_bytes())
        answer = json.loads(text) if text else None
    else:
        content = None if word.content is None else word.content(chosen)
        answer = client.ask_all(word.method, target, content)
    _tell([json.dumps(answer, indent=1)] if given.json else _lines(word, given, answer))


def _tell(lines: Sequence[str]) -> None:
    """Raises _Unheard. What standard output did not take is let go, or Python would try again at its end."""
    try:
        for line in lines:
            say(line)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise _Unheard(_PIPE_CLOSED, "") from error
        raise _Unheard(_REFUSED, f"done, but the answer cannot be written: {error.strerror}") from error


def _save(send: Any, word: Word, target: str, path: Path) -> None:
    """The answer in a new file that its owner alone reads, durable before it is told of. Raises OSError, Refused."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0) as file:
        try:
            content = send(word.method, target)
            _write(file, content, path)
        except BaseException:  # a full disk or Ctrl-C too: half a backup looks like one
            path.unlink()
            raise
    _tell([f"{path}: {amount(len(content))}"])


def _write(file: Any, content: bytes, path: Path) -> None:
    left = memoryview(content)
    try:
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _wait(client: AdminClient, word: Word, given: argparse.Namespace) -> int:
    assert word.settled is not None
    try:
        waiting.wait(lambda: client.ask("GET", "/v1/cluster"), word.settled, given.verb)
    except KeyboardInterrupt:
        complain("no longer waiting; the work goes on, and `zapfs admin cluster status` shows it")
        return INTERRUPTED
    return 0


def _lines(word: Word, given: argparse.Namespace, answer: Any) -> list[str]:
    """The answer for people."""
    if word.shown is not None:
        return word.shown(answer)
    if answer is None:
        return [f"{' '.join(filter(None, (given.subject, given.verb)))}: done"]
    if given.verb.endswith("list"):
        return table(next(iter(answer.values()), []), word.columns)
    return fields(answer) + (["The secret is not shown again."] if "secret_key" in answer else [])
