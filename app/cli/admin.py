"""`zapfs admin`: asks the admin face, signed as root, and prints what it answered.

Knows the face's paths and how a request is signed (SigV4). Must not know what the server does with it.
"""

import argparse
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from app.cli.admin_words import WORDS
from app.cli.command import complain, say
from app.cli.tables import table
from app.config import Settings
from app.config_values import Bind
from app.core.auth import canonical, timestamps
from roles import credentials
from roles.data_dir import DataDir, Refusal

_SECONDS_MAX = 60  # a collection may take a while
_SERVICE = "zapfs"  # the admin face's own: see app/faces/http/admin/gate.py


class Refused(Exception):
    """The server answered with an error, or not at all; the text says which."""


class AdminClient:
    """Signed requests to one admin face."""

    def __init__(self, endpoint: str, access_key: str, secret_key: str, region: str) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._access_key = access_key
        self._secret_key = secret_key
        self._region = region

    def ask(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
        """The answer's JSON, None when it has none. Raises Refused."""
        body = b"" if content is None else json.dumps(content).encode()
        request = urllib.request.Request(  # noqa: S310 -- the operator's own endpoint
            self._endpoint + path, body or None, self._signed(method, path, body), method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS_MAX) as answer:  # noqa: S310
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise Refused(_reason(error)) from error
        except (OSError, ValueError) as error:
            raise Refused(f"{self._endpoint} does not answer: {getattr(error, 'reason', error)}") from error
        return json.loads(text) if text else None

    def _signed(self, method: str, path: str, body: bytes) -> dict[str, str]:
        """The headers of a request, Authorization among them."""
        target, _, query = path.partition("?")
        timestamp = timestamps.basic(time.time())
        headers = {"host": urlsplit(self._endpoint).netloc, "x-amz-date": timestamp}
        signed = ";".join(sorted(headers))
        meant = canonical.path(target), canonical.query(canonical.pairs(query))
        scope = (timestamp[:8], self._region, _SERVICE)
        text = canonical.string_to_sign(
            timestamp,
            "/".join((*scope, "aws4_request")),
            canonical.request(method, meant, headers, signed, sha256(body).hexdigest()),
        )
        signature = canonical.sign(canonical.signing_key(self._secret_key, *scope), text)
        credential = f"{self._access_key}/{'/'.join(scope)}/aws4_request"
        headers["authorization"] = (
            f"{canonical.ALGORITHM} Credential={credential}, SignedHeaders={signed}, Signature={signature}"
        )
        return headers | {"content-type": "application/json"}


def run(given: argparse.Namespace, settings: Settings) -> int:
    """One `zapfs admin` command; 1 with a line when it was refused."""
    try:
        root = credentials.given_root(settings) or credentials.installed_root(settings, DataDir(settings.data_dir))
        client = AdminClient(_endpoint(given, settings), root.access_key, root.secret_key, settings.region)
        word, chosen = WORDS[given.subject][given.verb], vars(given)
        content = None if word.content is None else word.content(chosen)
        answer = client.ask(word.method, word.target(chosen), content)
    except (OSError, ValueError) as error:
        complain(f"what was given cannot be used: {error}")
        return 1
    except (Refused, Refusal) as error:
        complain(str(error))
        return 1
    if given.json:
        say(json.dumps(answer, indent=1))
    else:
        for line in _lines(given, answer):
            say(line)
    return 0


def _endpoint(given: argparse.Namespace, settings: Settings) -> str:
    if given.endpoint:
        return str(given.endpoint)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.admin_bind.host, settings.admin_bind.host)  # noqa: S104
    return f"http://{Bind(host, settings.admin_bind.port)}"


def _lines(given: argparse.Namespace, answer: Any) -> list[str]:
    """The answer for people."""
    shown = WORDS[given.subject][given.verb].shown
    if shown is not None:
        return shown(answer)
    if answer is None:
        return [f"{given.subject} {given.verb}: done"]
    if given.verb.endswith("list"):
        return table(next(iter(answer.values())))
    secret = ["The secret is not shown again."] if "secret_key" in answer else []
    return _flat(answer) + secret


def _flat(answer: Mapping[str, Any], prefix: str = "") -> list[str]:
    lines = []
    for name, value in answer.items():
        if isinstance(value, Mapping):
            lines += _flat(value, f"{prefix}{name}.")
        else:
            lines.append(f"{prefix + name:28} {value}")
    return lines


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        answer = json.loads(error.read())
        return f"{answer['error']}: {answer['message']}"
    except (ValueError, KeyError, OSError):
        return f"the server answered {error.code}"
