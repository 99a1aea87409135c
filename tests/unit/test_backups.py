"""The form of backups, where they are kept, and which of them stay."""

import os
import resource
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from app.adapters.backup_targets import BucketAddress, BucketTarget, DirectoryTarget
from app.adapters.cluster import backup_form
from app.adapters.cluster.backup_form import BackupForm
from app.adapters.cluster.sealing import Sealer, key_id_of
from app.core.errors import Corrupt, Unavailable
from app.ports.backup_target import Kept
from app.services.control.snapshots import KeptBackup, Plan, Snapshots, gone, name_of
from tests.contract.test_cluster import full_state

KEY, OTHER = bytes(range(32)), bytes(32)
DAY, NOW = 86_400_000, 1_800_000_000_000


def form(*keys: bytes) -> BackupForm:
    return BackupForm(Sealer(keys[0], os.urandom, keys[1:]))


def test_a_backup_holds_the_state_and_nothing_of_its_managers() -> None:
    state = replace(full_state(), managers={"m": "127.0.0.1:1"}, cluster_id="ab" * 16, restored="1" * 32)
    opened = form(OTHER, KEY).opened(form(KEY).sealed(state, NOW))
    assert opened == replace(state, managers={}, outcomes={}, restored="", staged=None)


@pytest.mark.parametrize("piece_bytes", [100, 1 << 20])
def test_no_altered_moved_missing_or_further_byte_goes_unnoticed(
    monkeypatch: pytest.MonkeyPatch, piece_bytes: int
) -> None:
    monkeypatch.setattr(backup_form, "BACKUP_PIECE_BYTES", piece_bytes)
    document = form(KEY).sealed(full_state(), NOW)
    assert form(KEY).opened(document).version == full_state().version
    for at in range(0, len(document), 7):
        with pytest.raises(Corrupt):
            form(KEY).opened(document[:at] + bytes([document[at] ^ 1]) + document[at + 1 :])
        with pytest.raises(Corrupt):
            form(KEY).opened(document[:at])
    for more in (b"\x00", document[-140:]):
        with pytest.raises(Corrupt):
            form(KEY).opened(document + more)


def test_each_reason_is_one_clear_line() -> None:
    document = form(KEY).sealed(full_state(), NOW)
    with pytest.raises(Corrupt, match=f"under master key {key_id_of(KEY)}; here are {key_id_of(OTHER)}"):
        form(OTHER).opened(document)
    for wrong, said in (
        (b"", "no backup"),
        (b"zapfs-cluster 4", "no backup"),
        (document.replace(b"zapfs-backup 1", b"zapfs-backup 2", 1), "form 2, of a later release"),
        (document[:-1], "cut off"),
        (b"zapfs-backup 1 {]\n", "first line is damaged"),
        (b"zapfs-backup 1 []\n", "first line is damaged"),
    ):
        with pytest.raises(Corrupt, match=said) as caught:
            form(KEY).opened(wrong)
        assert "\n" not in str(caught.value)


class Shelf:
    """A target in memory. `broken`: it does not answer."""

    name = "shelf"

    def __init__(self) -> None:
        self.there: dict[str, bytes] = {"somebody-elses": b""}
        self.broken = False

    def put(self, name: str, document: bytes) -> None:
        if self.broken:
            raise Unavailable("the shelf does not answer")
        self.there[name] = document

    def listed(self) -> Sequence[Kept]:
        return [Kept(name, len(document)) for name, document in self.there.items()]

    def remove(self, name: str) -> None:
        del self.there[name]


def test_one_is_made_each_interval_by_the_leader_and_strangers_files_stay() -> None:
    shelf, now, leads = Shelf(), [NOW], [False]
    plan = Plan(3_600, 2, 0)
    snapshots = Snapshots(shelf, lambda: (7, b"document"), plan, lambda: now[0], lambda: leads[0])
    snapshots.step()
    assert set(shelf.there) == {"somebody-elses"}
    leads[0] = True
    for _ in range(4):
        snapshots.step()
        snapshots.step()
        now[0] += 3_600_000
    assert set(shelf.there) == {"somebody-elses", *(name_of(7, NOW + hour * 3_600_000) for hour in (2, 3))}
    status = snapshots.status()
    assert (status.last_ms, status.failures, status.reason, len(status.kept)) == (NOW + 3 * 3_600_000, 0, "", 2)


def test_a_target_that_fails_is_counted_told_and_tried_again() -> None:
    shelf = Shelf()
    snapshots = Snapshots(shelf, lambda: (7, b"document"), Plan(3_600, 2, 0), lambda: NOW)
    shelf.broken = True
    for _ in range(2):
        with pytest.raises(Unavailable):
            snapshots.step()
    assert snapshots.status()[2:4] == (2, "the shelf does not answer")
    shelf.broken = False
    snapshots.step()
    assert snapshots.status()[1:4] == (NOW, 2, "")


def test_the_newest_stay_and_one_of_each_day() -> None:
    kept = [KeptBackup(name_of(1, at), 1, at) for at in range(NOW, NOW - 5 * DAY, -DAY // 4)]
    staying = [one for one in kept if one not in gone(kept, Plan(1, 3, 3), NOW)]
    assert staying[:3] == kept[:3]
    assert len(staying) == 3 + 1  # the third is the newest of the day before
    assert gone(kept, Plan(1, 0, 0), NOW) == kept[1:]


def test_a_directory_keeps_whole_files_of_their_owners_only(tmp_path: Path) -> None:
    target = DirectoryTarget(tmp_path / "made" / "at-need")
    assert list(target.listed()) == []
    target.put("one", b"document")
    assert [tuple(one) for one in target.listed()] == [("one", 8)]
    assert (tmp_path / "made" / "at-need" / "one").stat().st_mode & 0o777 == 0o600
    target.remove("one")
    target.remove("one")
    assert list(target.listed()) == []
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="file"):
        DirectoryTarget(tmp_path / "file").put("one", b"")


def test_half_a_backup_is_left_by_no_full_disk_and_by_no_kill_for_longer_than_until_the_next(tmp_path: Path) -> None:
    target, limits = DirectoryTarget(tmp_path), resource.getrlimit(resource.RLIMIT_FSIZE)
    (tmp_path / "killed.zapfs-half").write_bytes(b"half")
    (tmp_path / "others.tmp").touch()
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))  # whose signal Python ignores
    try:
        with pytest.raises(Unavailable, match="too large"):
            target.put("one", b"more than that")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [one.name for one in tmp_path.iterdir()] == ["others.tmp"]


def test_a_buckets_secret_is_in_no_repr_and_no_error() -> None:
    address = BucketAddress("http://127.0.0.1:1/backups/x", "us-east-1", "AK", "open-sesame")
    assert "sesame" not in repr(address)
    with pytest.raises(Unavailable) as caught:
        BucketTarget(address, lambda: NOW).put("one", b"")
    assert "sesame" not in str(caught.value)
