"""What every control plane owes its callers; today one implementation, the file of one machine."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.adapters.cluster import snapshot
from app.adapters.cluster.local import STATE_FILE, Follower, Writer
from app.core.cluster import (
    AccessKey,
    Account,
    ClusterState,
    CreateAccount,
    DeleteAccount,
    Outcome,
    PutRoot,
    holder_of,
)
from app.core.errors import Corrupt, Full, Missing, Unavailable

TAKEN = Outcome("EntityAlreadyExists", "an account of this name, canonical id, account id or e-mail address exists")


def account(number: int, **changes: object) -> Account:
    name = f"account-{number}"
    fields: dict[str, object] = {
        "account_id": f"{number:012}",
        "canonical_id": f"{number:064x}",
        "name": name,
        "email": f"{name}@example.com",
        "created_ms": 1_700_000_000_000 + number,
        "keys": (AccessKey(f"AKIA{number:04}", b"\x00sealed\xff"),),
        "display_name": "Größe",
    }
    return Account(**(fields | changes))


@pytest.fixture
def writer(tmp_path):
    made = Writer(tmp_path, create=True)
    yield made
    made.close()


def test_a_new_control_plane_is_empty_and_at_version_zero(writer):
    assert writer.state() == ClusterState()


def test_an_accepted_command_is_in_the_state_and_its_keys_are_indexed(writer):
    assert writer.submit(CreateAccount("c1", account(1))) == Outcome()
    state = writer.state()
    assert state.version == 1
    assert holder_of(state, "AKIA0001") == (state.accounts["account-1"], None) == (account(1), None)


def test_an_acknowledged_command_is_there_after_reopening_with_every_field(writer, tmp_path):
    writer.submit(CreateAccount("c1", account(1)))
    writer.submit(PutRoot("c2", account(2, name="root", root=True)))
    before = writer.state()
    writer.close()
    again = Writer(tmp_path)
    assert again.state() == before
    again.close()


def test_a_repeated_command_id_answers_as_the_first_time_also_after_reopening(writer, tmp_path):
    writer.submit(CreateAccount("c1", account(1)))
    assert writer.submit(CreateAccount("c2", account(1))) == TAKEN
    writer.close()
    again = Writer(tmp_path)
    version = again.state().version
    assert again.submit(CreateAccount("c1", account(1))) == Outcome()
    assert again.submit(CreateAccount("c2", account(5))) == TAKEN
    assert again.state().version == version
    again.close()


def test_a_second_writer_is_refused_while_the_first_lives(writer, tmp_path):
    with pytest.raises(Unavailable, match="another process"):
        Writer(tmp_path)
    writer.close()
    Writer(tmp_path).close()


def test_a_closed_writer_takes_no_commands(writer):
    writer.close()
    with pytest.raises(Unavailable):
        writer.submit(CreateAccount("c1", account(1)))


def test_a_follower_sees_a_change_at_its_next_refresh_and_not_before(writer, tmp_path):
    follower = Follower(tmp_path)
    writer.submit(CreateAccount("c1", account(1)))
    assert follower.state().version == 0
    assert follower.refresh()
    assert follower.state() == writer.state()
    assert not follower.refresh()
    writer.submit(DeleteAccount("c2", "account-1"))
    assert follower.refresh()
    assert follower.state().accounts == {}


def test_a_follower_misses_no_change_of_a_hundred_quick_ones(writer, tmp_path):
    follower = Follower(tmp_path)
    for number in range(100):
        writer.submit(CreateAccount(f"c{number}", account(number)))
        follower.refresh()
        assert follower.state().version == number + 1


def test_a_follower_does_not_write(writer, tmp_path):
    with pytest.raises(Unavailable):
        Follower(tmp_path).submit(CreateAccount("c1", account(1)))


def test_a_state_that_is_gone_is_a_loss_and_no_fresh_start(writer, tmp_path):
    writer.submit(CreateAccount("c1", account(1)))
    writer.close()
    (tmp_path / STATE_FILE).unlink()
    with pytest.raises(Missing, match="held the accounts"):
        Writer(tmp_path)
    with pytest.raises(Missing):
        Follower(tmp_path)


def test_any_damaged_byte_is_refused_with_a_way_to_recover_that_works(writer, tmp_path):
    writer.submit(CreateAccount("c1", account(1)))
    writer.submit(CreateAccount("c2", account(2)))
    writer.close()
    path = tmp_path / STATE_FILE
    whole = path.read_bytes()
    for position in (0, len(whole) // 3, len(whole) - 1):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        with pytest.raises(Corrupt, match="copy it over"):
            Writer(tmp_path)
    path.write_bytes(whole[:-10])
    with pytest.raises(Corrupt):
        Follower(tmp_path)
    path.write_bytes(snapshot.previous_of(path).read_bytes())
    recovered = Writer(tmp_path)
    assert set(recovered.state().accounts) == {"account-1"}
    recovered.close()


def test_a_follower_keeps_the_last_good_state_when_the_file_is_damaged(writer, tmp_path):
    writer.submit(CreateAccount("c1", account(1)))
    follower = Follower(tmp_path)
    (tmp_path / STATE_FILE).write_bytes(b"rubbish")
    with pytest.raises(Corrupt):
        follower.refresh()
    assert "account-1" in follower.state().accounts


def test_a_change_that_cannot_be_written_leaves_the_old_state_in_force(tmp_path):
    def full(*_: object) -> None:
        raise Full("no space left")

    Writer(tmp_path, create=True).close()
    writer = Writer(tmp_path, full)
    with pytest.raises(Full):
        writer.submit(CreateAccount("c1", account(1)))
    assert writer.state() == ClusterState()
    writer.close()
    assert Follower(tmp_path).state() == ClusterState()


def test_what_was_acknowledged_before_a_kill_is_there_afterwards(tmp_path):
    """A process creates accounts and is killed in the middle; every acknowledged one must be there."""
    program = """
import sys
from pathlib import Path
from tests.contract.test_cluster import account
from app.adapters.cluster.local import Writer
from app.core.cluster import CreateAccount
writer = Writer(Path(sys.argv[1]), create=True)
for number in range(10_000):
    writer.submit(CreateAccount(f"c{number}", account(number)))
    print(number, flush=True)
"""
    root = Path(__file__).parents[2]
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=root
        ) as process:
            acknowledged = [int(process.stdout.readline()) for _ in range(20)]
            process.kill()
            acknowledged += [int(line) for line in process.stdout.read().split()]
        reopened = Writer(tmp_path)
        assert len(reopened.state().accounts) >= acknowledged[-1] + 1
        reopened.close()
