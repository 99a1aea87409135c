"""What the suites about stacks of versions do to a store, in few words."""

from collections.abc import Callable
from dataclasses import replace

from app.core.errors import S3Error
from app.core.s3.version_ids import place_of
from app.core.types import Task, Version, Versioning
from app.ports.metadata import EVENTS, Commit, Deletion, MetadataStore
from tests.contract.metadata import BUCKET, inline, marker, new_id

K = b"k"


def switch(store: MetadataStore, versioning: Versioning) -> None:
    store.bucket_amend(BUCKET, lambda one: replace(one, versioning=versioning))


def put(store: MetadataStore, data: bytes = b"data", key: bytes = K) -> Version:
    return store.commit(fresh(data, key))


def fresh(data: bytes = b"data", key: bytes = K) -> Commit:
    ask = inline(key, data)
    return ask._replace(version=ask.version._replace(version_id=new_id()))


def delete(store: MetadataStore, key: bytes = K) -> Deletion:
    return store.delete_current(BUCKET, key, marker(key))


def remove(store: MetadataStore, one: Version) -> Version | None:
    return store.delete_version(BUCKET, one.key, place_of(one))


def stack(store: MetadataStore, key: bytes = K) -> list[Version]:
    return store.versions_scan(BUCKET, key, None, key + b"\x00", 1_000)


def data_of(store: MetadataStore, one: Version) -> bytes | None:
    found, page = store.version_with_content(BUCKET, one.key, place_of(one))
    assert found == one == store.version(BUCKET, one.key, place_of(one))
    return None if page is None else page.inline


def refuse(_: Version | None) -> None:
    raise S3Error("AccessDenied")


def told(name: bytes) -> Callable[[Version], list[Task]]:
    return lambda one: [Task(name + one.key, 1, one.version_id)]


def queued(store: MetadataStore) -> list[bytes]:
    return [task.task_id for task in store.tasks_due(EVENTS, 10, 100)]
