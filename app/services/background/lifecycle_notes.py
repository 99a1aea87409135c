"""What the lifecycle sweep remembers of a bucket between two steps: one note, in JSON.

Knows its form: where the pass stands, what it counted by rule, and when the next begins. A note that cannot be read is
a pass that begins anew: judging a version twice is harmless.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from app.core.errors import Missing
from app.core.s3.stacks import Place
from app.core.types import Bucket
from app.ports.metadata import MetadataStore

NOTES: Final = "lifecycle/"
VERSIONS: Final = "versions"
UPLOADS: Final = "uploads"
START: Final = Place()
Counts = dict[str, dict[str, int]]


def note_name(bucket: Bucket) -> str:
    """Of the bucket's note."""
    return NOTES + bucket.bucket_id.hex()


@dataclass(slots=True)
class Pass:
    """A pass over one bucket. `phase` "" = none under way. Times in milliseconds; `due_ms` 0 = nothing will be due.

    `rules`: counts by rule id (matched, acted, kept, failed) of the pass under way; `last`: of the last whole one.
    """

    digest: str = ""
    phase: str = ""
    place: Place = START
    upload_place: tuple[bytes, bytes] = (b"", b"")
    started_ms: int = 0
    ended_ms: int = 0
    next_ms: int = 0
    due_ms: int = 0
    last_due_ms: int = 0
    rules: Counts = field(default_factory=dict)
    last: Counts = field(default_factory=dict)

    @property
    def under_way(self) -> bool:
        return bool(self.phase)

    def begin(self, document: bytes, now_ms: int) -> bool:
        """Begin a pass when one is due: at its time, or at once when the rules are others than the last time."""
        digest = sha256(document).hexdigest()[:32]
        if digest == self.digest and now_ms < self.next_ms:
            return False
        self.digest, self.phase, self.place, self.upload_place = digest, VERSIONS, START, (b"", b"")
        self.started_ms, self.rules, self.due_ms = now_ms, {}, 0
        return True

    def next_phase(self, now_ms: int, next_ms: int) -> None:
        """Versions are done, uploads come; uploads are done, the pass is over."""
        if self.phase == VERSIONS:
            self.phase = UPLOADS
            return
        self.phase, self.ended_ms, self.last, self.last_due_ms = "", now_ms, self.rules, self.due_ms
        failed = any(counts.get("failed") for counts in self.rules.values())
        self.next_ms = 0 if failed else next_ms

    def count(self, rule_id: str, outcome: str) -> None:
        """One more `matched`, `acted`, `kept` or `failed` by a rule."""
        counts = self.rules.setdefault(rule_id, {})
        counts[outcome] = counts.get(outcome, 0) + 1

    def note_due(self, due_ms: int | None) -> None:
        """Remember the earliest time something not due yet will be."""
        if due_ms is not None and (not self.due_ms or due_ms < self.due_ms):
            self.due_ms = due_ms

    def shown(self) -> Mapping[str, Any]:
        """As the admin face tells it."""
        return {
            "running": self.under_way,
            "last_started_ms": self.started_ms,
            "last_ended_ms": self.ended_ms,
            "next_pass_ms": self.next_ms,
            "next_due_ms": self.last_due_ms,
            "rules": self.rules if self.under_way else self.last,
        }

    @classmethod
    def read(cls, store: MetadataStore, bucket: Bucket) -> "Pass":
        """The bucket's, or one that never ran."""
        try:
            plain = json.loads(store.note_get(note_name(bucket)))
            key, seq, made_ms, newer = plain.pop("place")
            upload_key, upload_id = plain.pop("upload_place")
            place = Place(b64decode(key), seq, made_ms, newer)
            return cls(**plain, place=place, upload_place=(b64decode(upload_key), b64decode(upload_id)))
        except (Missing, ValueError, KeyError, TypeError):
            return cls()

    def write(self, store: MetadataStore, bucket: Bucket) -> None:
        """Durable on return."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        plain["place"] = [b64encode(self.place.key).decode(), *self.place[1:]]
        plain["upload_place"] = [b64encode(part).decode() for part in self.upload_place]
        store.note_put(note_name(bucket), json.dumps(plain).encode())
