"""Where backups are kept: a directory, or a bucket of any S3 server.

Knows files and signed requests (SigV4). Must not know what a backup is. A bucket's address, key and secret come from
the settings; the secret leaves here in no error.
"""

import http.client
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote_plus, urlsplit

from app.adapters.cluster.snapshot import sync_directory
from app.core.auth import canonical, timestamps
from app.core.errors import Full, Unavailable
from app.core.limits import BACKUP_SECONDS_MAX, BACKUPS_LISTED_MAX, MIB
from app.ports.backup_target import Kept

_HALF: Final = ".zapfs-half"  # nobody else calls a file so
_LISTING_BYTES_MAX: Final = 2 * MIB  # a page of a thousand keys
_SAID_BYTES_MAX: Final = 4_096
_ENTRY: Final = re.compile(r"<Contents>.*?<Key>([^<]+)</Key>.*?<Size>(\d+)</Size>.*?</Contents>", re.DOTALL)
_CODE: Final = re.compile(r"<Code>([A-Za-z]{1,64})</Code>")


class DirectoryTarget:
    """See ports.backup_target: files of their owner's only, in a directory made at need."""

    def __init__(self, directory: Path) -> None:
        self.name = str(directory)
        self._directory = directory

    def put(self, name: str, document: bytes) -> None:
        """See the port."""
        fresh = self._directory / (name + _HALF)
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._let_go_of_halves()
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(document)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._directory / name)
            sync_directory(self._directory)
        except OSError as error:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise _translated(self._directory, error) from error

    def _let_go_of_halves(self) -> None:
        """What a process left that was killed while it wrote. Raises OSError."""
        for one in self._directory.glob(f"*{_HALF}"):
            one.unlink(missing_ok=True)

    def listed(self) -> Sequence[Kept]:
        """See the port."""
        try:
            return [Kept(one.name, one.stat().st_size) for one in os.scandir(self._directory) if one.is_file()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _translated(self._directory, error) from error

    def remove(self, name: str) -> None:
        """See the port."""
        try:
            (self._directory / name).unlink(missing_ok=True)
        except OSError as error:
            raise _translated(self._directory, error) from error


def _translated(directory: Path, error: OSError) -> Unavailable | Full:
    kind = Full if error.errno in (28, 122) else Unavailable  # ENOSPC, EDQUOT
    return kind(f"{directory}: {error.strerror}")


@dataclass(frozen=True, slots=True)
class BucketAddress:
    """`url`: http(s)://HOST[:PORT]/BUCKET[/PREFIX], the bucket in the path as every S3 server takes it."""

    url: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)


class BucketTarget:
    """See ports.backup_target: objects below a prefix of a bucket."""

    def __init__(self, address: BucketAddress, now_ms: Callable[[], int]) -> None:
        parts = urlsplit(address.url)
        self.name = address.url
        self._address = address
        self._now_ms = now_ms
        self._secure, self._host = parts.scheme == "https", parts.netloc
        bucket, _, prefix = parts.path.strip("/").partition("/")
        self._bucket, self._prefix = "/" + bucket, prefix + "/" if prefix else ""

    def put(self, name: str, document: bytes) -> None:
        """See the port. An object is all there or not there: S3's own promise."""
        self._ask("PUT", self._path(name), {}, document)

    def listed(self) -> Sequence[Kept]:
        """See the port: the newest BACKUPS_LISTED_MAX would be enough, and names sort by time."""
        query = {"list-type": "2", "max-keys": str(BACKUPS_LISTED_MAX), "prefix": self._prefix}
        page = self._ask("GET", self._bucket, query).decode(errors="replace")
        return [Kept(unquote_plus(key).removeprefix(self._prefix), int(size)) for key, size in _ENTRY.findall(page)]

    def remove(self, name: str) -> None:
        """See the port."""
        self._ask("DELETE", self._path(name), {})

    def _path(self, name: str) -> str:
        return f"{self._bucket}/{quote(self._prefix + name, safe='/-_.~')}"

    def _ask(self, method: str, path: str, query: Mapping[str, str], body: bytes = b"") -> bytes:
        asked = "&".join(f"{name}={quote(query[name], safe='-_.~')}" for name in sorted(query))
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, timeout=BACKUP_SECONDS_MAX)
        try:
            connection.request(
                method, path + (f"?{asked}" if asked else ""), body, self._signed(method, path, asked, body)
            )
            answer = connection.getresponse()
            content = answer.read(_LISTING_BYTES_MAX)
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{self.name}: {error}") from error
        finally:
            connection.close()
        if answer.status // 100 != 2 and not (method == "DELETE" and answer.status == 404):
            code = _CODE.search(content[:_SAID_BYTES_MAX].decode(errors="replace"))
            raise Unavailable(f"{self.name}: {method} was answered {answer.status} {code[1] if code else ''}".rstrip())
        return content

    def _signed(self, method: str, path: str, query: str, body: bytes) -> dict[str, str]:
        timestamp, digest = timestamps.basic(self._now_ms() / 1000), sha256(body).hexdigest()
        headers = {"host": self._host, "x-amz-content-sha256": digest, "x-amz-date": timestamp}
        names = ";".join(sorted(headers))
        scope = (timestamp[:8], self._address.region, "s3")
        request = canonical.request(method, (path, query), headers, names, digest)
        text = canonical.string_to_sign(timestamp, "/".join((*scope, "aws4_request")), request)
        signature = canonical.sign(canonical.signing_key(self._address.secret_key, *scope), text)
        credential = f"{self._address.access_key}/{'/'.join(scope)}/aws4_request"
        headers["authorization"] = (
            f"{canonical.ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
        )
        return headers
