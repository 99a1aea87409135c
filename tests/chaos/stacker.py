"""A writer that also appends, renames, encrypts, and stacks versions in a second bucket, locked ones among them.

Knows requests and what their answers promise; see writer.py. A version is entered in the ledger under a name of its
own, made of its key and of its bytes, which no other version has. A version is only ever removed by its id.
"""

from collections.abc import Callable

from tests.chaos.ledger import ABSENT, STACKS
from tests.chaos.writer import KEYS_EACH, Assignment, Writer, md5
from tests.wire.connection import Answer

STACKED = "crash-stacks"
"""The bucket with versioning and object lock."""
SSE = {"x-amz-server-side-encryption": "AES256"}
HELD = {"x-amz-object-lock-legal-hold": "ON"}
HELD_RATIO = 0.2


class Stacker(Writer):
    """See the module docstring."""

    def __init__(self, assignment: Assignment) -> None:
        super().__init__(assignment)
        self.versions: list[tuple[str, str, str]] = []  # key, version id, MD5
        self.held: list[tuple[str, str]] = []

    def moves(self) -> list[tuple[Callable[[str], None], int]]:
        moves = [*super().moves(), (self.append, 5), (self.rename, 4), (self.encrypted, 3)]
        return [*moves, (self.stack, 6), (self.mark, 2), (self.unstack, 3), (self.unlock_not, 1), (self.restack, 2)]

    def append(self, key: str) -> None:
        """Add to what is there, or begin it."""
        there = self._ask("GET", key)
        whole = there.body if there.status == 200 else b""
        added = self._body()[:400_000]
        offset = {"x-amz-write-offset-bytes": str(len(whole))}
        self._change(key, md5(whole + added), lambda: self._ask("PUT", key, added, offset))

    def rename(self, key: str) -> None:
        """Another own key takes this name: both change, or neither."""
        source = f"w{self.at.writer}/k{self.dice.randrange(KEYS_EACH):02}"
        held = self._ask("GET", source)
        if source == key or held.status != 200:
            return
        self.ledger.intend(source, ABSENT)
        self.etags.pop(source, None)
        where = {"x-amz-rename-source": f"/{self.at.bucket}/{source}"}
        answers: list[Answer] = []

        def ask() -> Answer:
            answers.append(self._ask("PUT", f"{key}?renameObject", b"", where))
            return answers[0]

        self._change(key, md5(held.body), ask)
        self.ledger.settle(source, happened=answers[0].status == 200)

    def encrypted(self, key: str) -> None:
        """PUT of an object that is sealed."""
        body = self._body()
        self._change(key, md5(body), lambda: self._ask("PUT", key, body, SSE))

    def stack(self, key: str) -> None:
        """A version on top of a stack; some are sealed, some are held for ever."""
        body = self.dice.randbytes(16) + self._body()
        held = self.dice.random() < HELD_RATIO
        headers = (SSE if self.dice.random() < 0.3 else {}) | (HELD if held else {})
        answer = self._stacked(key, body, lambda: self._ask_of(STACKED, "PUT", key, body, headers))
        if answer.status == 200 and held:
            self.held.append((key, answer.headers["x-amz-version-id"]))
        elif answer.status == 200:
            self.versions.append((key, answer.headers["x-amz-version-id"], md5(body)))

    def restack(self, key: str) -> None:
        """A rename in the bucket with versioning, to a key never used before: one version more, and none less."""
        top = self._ask_of(STACKED, "GET", key)
        if top.status != 200:
            return
        where = {"x-amz-rename-source": f"/{STACKED}/{key}"}
        target = f"{key}.{self.at.seed}.{self.operations}"
        self._stacked(target, top.body, lambda: self._ask_of(STACKED, "PUT", f"{target}?renameObject", b"", where))

    def mark(self, key: str) -> None:
        """A delete marker takes no version away."""
        self._ask_of(STACKED, "DELETE", key)

    def unstack(self, key: str) -> None:
        """Remove one version for good."""
        if self.versions:
            key, version_id, digest = self.versions.pop(self.dice.randrange(len(self.versions)))
            target = f"{key}?versionId={version_id}"
            self._change(f"{STACKS}{key}#{digest}", ABSENT, lambda: self._ask_of(STACKED, "DELETE", target))

    def unlock_not(self, key: str) -> None:
        """A held version stays, whoever asks."""
        if self.held:
            key, version_id = self.dice.choice(self.held)
            bypass = {"x-amz-bypass-governance-retention": "true"}
            answer = self._ask_of(STACKED, "DELETE", f"{key}?versionId={version_id}", b"", bypass)
            assert answer.status in (403, 503), f"a held version was answered {answer.status}"

    def _stacked(self, key: str, body: bytes, ask: Callable[[], Answer]) -> Answer:
        answers: list[Answer] = []

        def asked() -> Answer:
            answers.append(ask())
            return answers[0]

        digest = md5(body)
        self._change(f"{STACKS}{key}#{digest}", digest, asked)
        return answers[0]


def work(assignment: Assignment) -> None:
    """The writer process."""
    Stacker(assignment).run()
