"""What every control plane owes its callers; today one implementation, the file of one machine."""

import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
from blake3 import blake3

from app.adapters.cluster import snapshot
from app.adapters.cluster.local import STATE_FILE, Follower, Writer
from app.core.cluster import (
    AccessKey,
    Account,
    ClusterState,
    CreateAccount,
    DeleteAccount,
    Group,
    KmsKey,
    Limits,
    ManagedPolicy,
    OidcProvider,
    Outcome,
    PolicyVersion,
    PutRoot,
    Role,
    User,
    apply,
    assembled,
    holder_of,
)
from app.core.cluster.state import Staged, bare
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


def full_state() -> ClusterState:
    """Something of everything, so that no field is lost on the way through a file."""
    user = User(
        "mia", "AIDA1", 5, "/dev/", {"tag": "ü\n"}, {"in": '{"a": "b"}'}, ("arn:x",), "arn:y", ("readers",),
        (AccessKey("AKMIA", b"\x00\xff", active=False, created_ms=7),), True,
    )  # fmt: skip
    owner = account(
        1,
        users={"mia": user},
        groups={"readers": Group("readers", "AGPA1", 6, "/", {"in": "{}"}, ("arn:x",))},
        roles={
            "taken": Role("taken", "AROA1", 7, "{}", "/", {"a": "b"}, {"in": "{}"}, ("arn:x",), "arn:y", 7_200, "text")
        },
        policies={
            "own": ManagedPolicy("own", "ANPA1", 8, (PolicyVersion("v2", "{}", 9),), "v2", "/", 3, "text", {"a": "b"})
        },
        root=True,
        disabled=True,
        oidc_providers={"id.example": OidcProvider("id.example", 5, ("app",), ("ab" * 20,), {"a": "b"})},
    )
    key = KmsKey("k1", "arn:k1", 5, (b"\x00", b"\x01"), ("alias/a",), "text", "PendingDeletion", 99)
    state = assembled(7, [owner, account(2)], [key], {"c1": Outcome(), "c2": Outcome("NoSuchEntity", "none")})
    return replace(
        state, limits={"all/": Limits(1, 2, 3, 4)}, restored="1" * 32, staged=Staged("2" * 32, 3, bare(state))
    )


def test_every_field_survives_the_file(tmp_path):
    snapshot.store(tmp_path / STATE_FILE, full_state())
    assert snapshot.load(tmp_path / STATE_FILE) == full_state()
    owner = full_state().accounts["account-1"]
    assert not [one.name for one in fields(Account) if getattr(owner, one.name) == one.default]
    for empty in (ClusterState(), assembled(1, [], full_state().kms_keys.values(), {})):
        assert snapshot.Codec().decode(snapshot.Codec().encode(empty)) == empty


def test_a_file_of_the_first_release_reads_and_is_written_in_the_new_form(tmp_path):
    """The file was written by that release: a root, an account with an inactive key, and a refused command."""
    (tmp_path / STATE_FILE).write_bytes((Path(__file__).parent / "data/cluster-state-1").read_bytes())
    writer = Writer(tmp_path)
    state = writer.state()
    alice = state.accounts["alice"]
    assert (state.version, set(state.accounts), state.accounts["root"].root) == (3, {"root", "alice"}, True)
    assert [(one.access_key, one.sealed_secret, one.active) for one in alice.keys] == [
        ("AKALICE", b"\x01sealed", True),
        ("AKOLD", b"\x02", False),
    ]
    assert holder_of(state, "AKROOT") == (state.accounts["root"], None)
    assert state.by_email["alice@example.com"] == "alice"
    assert writer.submit(CreateAccount("c3", account(5))).error == "AccountExists"
    assert writer.submit(CreateAccount("c4", account(5))) == Outcome()
    assert (tmp_path / STATE_FILE).read_bytes().startswith(b"zapfs-cluster 4 ")
    assert Follower(tmp_path).state() == writer.state()
    writer.close()


def test_a_file_of_the_third_form_reads(tmp_path):
    """It has no limits, nobody disabled, no issuers, and nothing of restores."""
    state = assembled(7, [account(2)], full_state().kms_keys.values(), {})
    head, *lines = snapshot.Codec().encode(state).partition(b"\n")[2].split(b"\n")
    for later in (b',"limits":{}', b',"restored":""'):
        assert later in head
        head = head.replace(later, b"")
    body = b"\n".join([head, *(line.replace(b',"disabled":false,"oidc_providers":{}', b"") for line in lines)])
    assert b"disabled" not in body
    document = b"zapfs-cluster 3 " + blake3(body).hexdigest().encode() + b"\n" + body
    assert snapshot.Codec().decode(document) == state


def test_what_a_later_release_wrote_is_refused_and_never_half_read(tmp_path):
    whole = snapshot.Codec().encode(full_state())
    later = whole.replace(b"zapfs-cluster 4", b"zapfs-cluster 5", 1)
    with pytest.raises(Corrupt, match="later release"):
        snapshot.Codec().decode(later)
    body = whole.partition(b"\n")[2].replace(b'"groups":', b'"troops":')
    with pytest.raises(Corrupt, match="not a cluster state"):
        snapshot.Codec().decode(b"zapfs-cluster 4 " + blake3(body).hexdigest().encode() + b"\n" + body)


def test_a_codec_that_saw_the_state_before_gives_what_a_fresh_one_gives():
    kept_out, kept_in = snapshot.Codec(), snapshot.Codec()
    state = full_state()
    for number in range(20):
        state, _ = apply(state, CreateAccount(f"n{number}", account(100 + number)))
        if number % 3 == 0:
            state, _ = apply(state, DeleteAccount(f"d{number}", f"account-{100 + number // 2}"))
        document = kept_out.encode(state)
        assert document == snapshot.Codec().encode(state)
        assert kept_in.decode(document) == snapshot.Codec().decode(document) == state
