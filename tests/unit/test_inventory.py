"""Inventories over a whole server in one process, with the clock set by hand."""

import csv
import gzip
import io
import json
from collections.abc import Iterator
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest

from app.core import limits
from app.core.s3.configs.inventory import INVENTORY
from app.core.s3.lifecycle import Clock
from app.core.types import Bucket, Versioning
from app.services.background.inventory import Inventories
from app.services.objects.objects import Selection, Target
from tests.house import OTHER, OWNER, House

DAY = 1_000


class Counting:
    """A house with a bucket to count and one to keep the lists."""

    def __init__(self, house: House, lists_owner: str = OWNER.canonical_id) -> None:
        self.house, self.failed = house, list[str]()
        for name, owner in (("bucket", OWNER.canonical_id), ("lists", lists_owner)):
            house.store.bucket_create(
                Bucket(house.sources.new_id(), name, owner, house.now_ms, versioning=Versioning.ENABLED)
            )
        self.inventories = Inventories(house.store, house.objects, house.sources, "one", Clock(DAY), self.failed.append)

    def ask(self, versions: str = "Current", prefix: str = "", fields: str = "Size", enabled: str = "true") -> None:
        chosen = f"<Filter><Prefix>{prefix}</Prefix></Filter>" if prefix else ""
        columns = "".join(f"<Field>{name}</Field>" for name in fields.split())
        text = (
            "<InventoryConfiguration><Destination><S3BucketDestination><Bucket>arn:aws:s3:::lists</Bucket>"
            f"<Format>CSV</Format></S3BucketDestination></Destination><IsEnabled>{enabled}</IsEnabled>{chosen}<Id>i</Id>"
            f"<IncludedObjectVersions>{versions}</IncludedObjectVersions><OptionalFields>{columns}</OptionalFields>"
            "<Schedule><Frequency>Daily</Frequency></Schedule></InventoryConfiguration>"
        ).encode()
        bucket_id = self.house.store.bucket_get("bucket").bucket_id
        self.house.store.config_put(bucket_id, "inventory", "i", INVENTORY.canonical(text), 9)

    def keys(self) -> list[bytes]:
        bucket_id = self.house.store.bucket_get("lists").bucket_id
        return [each.key for each in self.house.store.currents_scan(bucket_id, b"", True, None, 99)]

    def read(self, key: bytes) -> bytes:
        read = self.house.objects.get(self.house.call(), Target("lists", key), Selection())
        assert read.pieces is not None
        with_all = b"".join(bytes(piece) for piece in read.pieces)  # type: ignore[arg-type]
        read.pieces.close()
        return with_all

    def manifest(self) -> dict[str, Any]:
        [key] = [key for key in self.keys() if key.endswith(b"manifest.json")]
        text = self.read(key)
        assert self.read(key.replace(b".json", b".checksum")) == md5(text).hexdigest().encode()
        plain: dict[str, Any] = json.loads(text)
        return plain

    def rows(self) -> list[list[str]]:
        found = []
        for file in self.manifest()["files"]:
            data = self.read(file["key"].encode())
            assert md5(data).hexdigest() == file["MD5checksum"]
            found += list(csv.reader(io.StringIO(gzip.decompress(data).decode())))
        return found


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


def test_every_current_object_is_in_the_list_and_no_other(house: House) -> None:
    counting = Counting(house)
    for key in (b'a,"b"', b"gone", b"a/1"):
        house.put(key, b"xyz")
    house.delete(b"gone")
    counting.ask()
    assert counting.inventories.run() == 1
    assert counting.manifest()["fileSchema"] == "Bucket, Key, Size"
    assert counting.rows() == [["bucket", "a%2C%22b%22", "3"], ["bucket", "a%2F1", "3"]]
    assert counting.failed == []


def test_all_versions_and_markers_are_in_the_list_when_asked(house: House) -> None:
    counting = Counting(house)
    house.put(b"k", b"1")
    house.put(b"k", b"22")
    house.delete(b"k")
    counting.ask("All")
    counting.inventories.run()
    assert [row[3:] for row in counting.rows()] == [
        ["true", "true", ""],
        ["false", "false", "2"],
        ["false", "false", "1"],
    ]
    assert all(len(row[2]) == 32 for row in counting.rows())


def test_a_filter_by_prefix_lists_what_begins_so(house: House) -> None:
    counting = Counting(house)
    for key in (b"a", b"b", b"b/1", b"c"):
        house.put(key, b"")
    counting.ask(prefix="b")
    counting.inventories.run()
    assert [row[1] for row in counting.rows()] == ["b", "b%2F1"]


def test_a_long_list_is_written_in_steps_and_goes_on_after_a_restart(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "INVENTORY_FILE_ROWS", 2)
    monkeypatch.setattr(limits, "SWEEP_STEP_ROWS", 2)
    counting = Counting(house)
    for number in range(5):
        house.put(b"k%d" % number, b"")
        house.put(b"k%d" % number, b"")
    counting.ask("All")
    for _ in range(9):
        again = Inventories(house.store, house.objects, house.sources, "one", Clock(DAY), counting.failed.append)
        again.run()
    latest = [(row[1], row[3]) for row in counting.rows()]
    assert latest == [(f"k{number}", told) for number in range(5) for told in ("true", "false")]
    assert len(counting.manifest()["files"]) == 5


def test_the_next_list_is_due_a_day_later(house: House) -> None:
    counting = Counting(house)
    counting.ask()
    assert counting.inventories.run() == 1
    assert counting.inventories.run() == 0
    house.now_ms += DAY
    assert counting.inventories.run() == 1


def test_what_is_switched_off_or_may_not_be_written_writes_nothing(house: House) -> None:
    counting = Counting(house, lists_owner=OTHER.canonical_id)
    counting.ask(enabled="false")
    assert counting.inventories.run() == 0
    counting.ask()
    assert counting.inventories.run() == 0
    assert len(counting.failed) == 1
    assert counting.keys() == []
