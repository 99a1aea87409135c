"""Who is believed to call: accounts, users and nobody, as the control state says at the moment of the request."""

from dataclasses import replace

import pytest

from app.core.cluster import (
    AccessKey,
    Account,
    ClusterState,
    Create,
    Holder,
    PutInline,
    SetKeyActive,
    User,
    Who,
    apply,
    assembled,
)
from app.core.errors import S3Error
from app.runtime.offload import Offload
from app.services.call import NOBODY
from app.services.gate.access import Access, Identity
from app.services.gate.callers import Callers
from tests.unit import signing

TEXT = '{"Version":"2012-10-17","Statement":[]}'


class OneState:
    """A control state that commands are applied to here."""

    def __init__(self) -> None:
        user = User("mia", "AIDA1", 1, inline={"in": TEXT}, keys=(AccessKey(signing.ACCESS_KEY, b"sealed"),))
        account = Account("1" * 12, "c" * 64, "team", "", 0, users={"mia": user}, display_name="The team", root=True)
        self.now: ClusterState = assembled(1, [account], (), {})

    def state(self) -> ClusterState:
        return self.now

    def submit(self, command):
        self.now, outcome = apply(self.now, command)
        return outcome

    def close(self) -> None: ...


@pytest.fixture
def cluster():
    return OneState()


@pytest.fixture
def access(cluster):
    offload = Offload(1)
    yield Access(Callers(cluster, lambda access_key, sealed: signing.SECRET), offload)
    offload.close()


def believed(access: Access, method: str = "GET", target: str = "/bucket/key") -> Identity:
    return access.authenticate(signing.signed(method, target), int(signing.NOW * 1000))


def test_a_user_calls_for_its_account_with_its_own_policies_and_never_as_the_operator(access):
    found = believed(access)
    caller = found.caller
    assert (caller.account_id, caller.canonical_id, caller.display_name) == ("1" * 12, "c" * 64, "The team")
    assert (caller.root, caller.access_key_id) == (False, signing.ACCESS_KEY)
    assert (caller.identity.kind, caller.identity.arn) == ("user", f"arn:aws:iam::{'1' * 12}:user/mia")
    assert [one.text for one in caller.identity.identity] == [TEXT]
    assert (found.auth_type, found.signature_version, found.signature_age_ms) == (
        "REST-HEADER",
        "AWS4-HMAC-SHA256",
        None,
    )


def test_an_account_s_own_key_stands_for_the_account(access, cluster):
    account = cluster.now.accounts["team"]
    own = replace(account, users={}, keys=account.users["mia"].keys)
    cluster.now = assembled(2, [own], (), {})
    caller = believed(access).caller
    assert (caller.root, caller.principal, caller.identity.kind) == (True, None, "root")


def test_who_signs_nothing_is_nobody(access):
    request = signing.signed("GET", "/bucket/key")._replace(headers={"host": signing.HOST})
    assert access.authenticate(request, 0) == Identity(NOBODY, None)


@pytest.mark.parametrize("value", ["AWS", "AWS x", "AWS4-HMAC-SHA256", "Bearer x", ""])
def test_a_malformed_claim_is_an_error_and_never_nobody(access, value):
    request = signing.signed("GET", "/bucket/key")._replace(headers={"host": signing.HOST, "authorization": value})
    with pytest.raises(S3Error):
        access.authenticate(request, 0)


def test_a_change_is_seen_by_the_next_request(access, cluster):
    assert len(believed(access).caller.identity.identity) == 1
    cluster.submit(PutInline("c1", Who("team", "user", "mia"), "more", TEXT))
    assert len(believed(access).caller.identity.identity) == 2
    cluster.submit(SetKeyActive("c2", Holder("team", "mia"), signing.ACCESS_KEY, False))
    with pytest.raises(S3Error) as caught:
        believed(access)
    assert caught.value.code == "InvalidAccessKeyId"
    cluster.submit(SetKeyActive("c3", Holder("team", "mia"), signing.ACCESS_KEY, True))
    assert believed(access).caller.access_key_id == signing.ACCESS_KEY


def test_a_caller_is_gathered_once_for_a_state(access, cluster):
    first = believed(access).caller
    assert believed(access).caller is first
    cluster.submit(Create("c1", "team", User("tom", "AIDA2", 1)))
    assert believed(access).caller is not first
    assert believed(access).caller == first
