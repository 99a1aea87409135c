"""Bucket configurations: each is put, read and deleted as one document, under the permission of its kind.

Knows kinds as values (core/s3/configs/kinds) and the order of the questions: permission, document, rules, store. Must
not know what a configuration means to others, nor the wire.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

from app.core import limits
from app.core.errors import Conflict, Missing, S3Error
from app.core.s3.configs.grammar import Node
from app.core.s3.configs.kinds import Kind, NamedKind
from app.core.types import Bucket
from app.ports.metadata import MetadataStore
from app.services.call import Call
from app.services.gate.guard import Guard

Read = Callable[[], bytes]
"""The document sent, asked for once the caller is known to be welcome."""


class Place(NamedTuple):
    """The bucket as addressed. `expected_owner`: an account id or ""."""

    bucket: str
    expected_owner: str = ""


class ConfigPage(NamedTuple):
    """Documents of a named kind by id, and the id to go on after ("" = the end)."""

    documents: list[bytes]
    next_after: str


class Configs:
    """Use cases on bucket configurations. Errors: S3Error; StoreError from the store passes through."""

    def __init__(self, store: MetadataStore, guard: Guard) -> None:
        self._store = store
        self._guard = guard

    # --- one document per bucket

    def get(self, call: Call, place: Place, kind: Kind) -> bytes:
        """The canonical document. Raises `kind.absent` and what the guard raises."""
        bucket = self._guard.admit(call, place.bucket, kind.reads, expected_owner=place.expected_owner).bucket
        stored = bucket.configs.get(kind.name)
        if stored is not None:
            kind.grammar.stored(stored)
            return stored
        if kind.absent.startswith("<"):
            return kind.absent.encode()
        raise S3Error(kind.absent, fields={"BucketName": bucket.name})

    def put(self, call: Call, place: Place, kind: Kind, read: Read) -> None:
        """Replace it; durable on return. Raises what the grammar, the kind's rules and the guard raise."""
        bucket = self._guard.admit(call, place.bucket, kind.writes, expected_owner=place.expected_owner).bucket
        node = kind.grammar.parse(read())
        self._check_others(kind, node)
        document = kind.grammar.write(node)

        def amend(current: Bucket) -> Bucket:
            kind.check(current, node)
            return replace(current, configs={**current.configs, kind.name: document})

        self._amend(bucket, amend)

    def delete(self, call: Call, place: Place, kind: Kind) -> None:
        """Remove it; no error when there is none."""
        bucket = self._guard.admit(call, place.bucket, kind.writes, expected_owner=place.expected_owner).bucket
        if kind.name in bucket.configs:
            self._amend(bucket, lambda current: replace(current, configs=_without(current.configs, kind.name)))

    def _amend(self, bucket: Bucket, amend: Callable[[Bucket], Bucket]) -> None:
        try:
            self._store.bucket_amend(bucket.bucket_id, amend)
        except Missing:
            raise S3Error("NoSuchBucket", fields={"BucketName": bucket.name}) from None

    def _check_others(self, kind: Kind, node: Node) -> None:
        """Rules that speak of other buckets. Those need not hold for ever: they are looked at once."""
        for name in kind.buckets(node):
            try:
                self._store.bucket_get(name)
            except Missing:
                raise S3Error("InvalidRequest", "Destination bucket must exist.") from None

    # --- several, by name

    def get_named(self, call: Call, place: Place, kind: NamedKind, name: str) -> bytes:
        """One canonical document. Raises NoSuchConfiguration."""
        bucket = self._guard.admit(call, place.bucket, kind.reads, expected_owner=place.expected_owner).bucket
        try:
            stored = self._store.config_get(bucket.bucket_id, kind.name, name)
        except Missing:
            raise S3Error("NoSuchConfiguration") from None
        kind.grammar.stored(stored)
        return stored

    def put_named(self, call: Call, place: Place, kind: NamedKind, name: str, read: Read) -> None:
        """Make or replace one; durable on return. Raises TooManyConfigurations (1,000), InvalidArgument when the
        document bears another id than the request, and what the grammar raises."""
        bucket = self._guard.admit(call, place.bucket, kind.writes, expected_owner=place.expected_owner).bucket
        node = kind.grammar.parse(read())
        if node.text("Id") != name:
            fields = {"ArgumentName": "id", "ArgumentValue": name}
            raise S3Error(
                "InvalidArgument", "The ID in the request does not match that of the document.", fields=fields
            )
        try:
            document = kind.grammar.write(node)
            self._store.config_put(bucket.bucket_id, kind.name, name, document, limits.NAMED_CONFIGS_MAX)
        except Conflict:
            raise S3Error("TooManyConfigurations") from None
        except Missing:
            raise S3Error("NoSuchBucket", fields={"BucketName": bucket.name}) from None

    def delete_named(self, call: Call, place: Place, kind: NamedKind, name: str) -> None:
        """Remove one. Raises NoSuchConfiguration."""
        bucket = self._guard.admit(call, place.bucket, kind.writes, expected_owner=place.expected_owner).bucket
        try:
            self._store.config_delete(bucket.bucket_id, kind.name, name)
        except Missing:
            raise S3Error("NoSuchConfiguration") from None

    def list_named(self, call: Call, place: Place, kind: NamedKind, after: str) -> ConfigPage:
        """At most NAMED_CONFIGS_PAGE of them by id, ids > `after`."""
        bucket = self._guard.admit(call, place.bucket, kind.reads, expected_owner=place.expected_owner).bucket
        page = limits.NAMED_CONFIGS_PAGE
        found = self._store.configs_scan(bucket.bucket_id, kind.name, after, page + 1)
        documents = [document for _, document in found[:page]]
        return ConfigPage(documents, found[page - 1][0] if len(found) > page else "")


def _without(configs: Mapping[str, bytes], name: str) -> dict[str, bytes]:
    return {kind: document for kind, document in configs.items() if kind != name}
