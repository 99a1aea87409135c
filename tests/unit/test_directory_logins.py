"""Logins by a directory: whose password is believed, what is asked of the directory, and which role is given."""

import socket

import pytest

from app.adapters.directory import DirectoryPlace, LdapDirectory
from app.core import limits
from app.core.errors import S3Error, Unavailable
from app.services.call import NOBODY
from app.services.gate.slowing import Slowing
from app.services.identity.commanding import CommandRefused
from app.services.identity.federation import DirectoryLogins, RoleOf
from app.services.identity.sessions import Wanted
from tests.directory import Directory
from tests.session_room import ROLE_ARN, TEAM, Room, allow, trust

BASE = "dc=example,dc=org"
ANN, BEN, SERVICE = (f"uid={name},ou=people,{BASE}" for name in ("ann", "ben", "service"))
STAFF = f"cn=staff,ou=groups,{BASE}"
PEOPLE = {
    ANN: ({"uid": ["ann"], "mail": ["ann@example.org", "shared@example.org"]}, "ann's password"),
    BEN: ({"uid": ["ben"], "mail": ["ben@example.org", "shared@example.org"]}, "ben's password"),
    SERVICE: ({"cn": ["service"]}, "service password"),
}


@pytest.fixture
def directory():
    with Directory(PEOPLE, {STAFF: [ANN]}) as made:
        yield made


def place(directory, **changes):
    wanted = {"bind_dn": SERVICE, "bind_password": "service password", "user_base": BASE, "group_base": BASE}
    return DirectoryPlace(directory.url, starttls=False, **(wanted | changes))


@pytest.fixture
def ldap(directory):
    return LdapDirectory(place(directory))


def test_a_person_is_known_by_their_own_password_with_their_groups(ldap):
    assert ldap.person("ann", "ann's password") == (ANN, (STAFF,))
    assert ldap.person("ben", "ben's password") == (BEN, ())
    assert ldap.person("ann", "ben's password") is None
    assert ldap.person("eve", "ann's password") is None


def test_an_empty_password_never_reaches_the_directory(directory, ldap):
    assert ldap.person("ann", "") is None
    assert ldap.person("", "x") is None
    assert directory.binds == []


@pytest.mark.parametrize("name", ["*", "a*", "ann)(uid=*", "*)(|(uid=*", "\\2a", "ann\x00", "(", "ann)(cn=*))(|(uid=a"])
def test_what_is_typed_is_no_part_of_the_filter(directory, ldap, name):
    assert ldap.person(name, "ann's password") is None
    assert all("present" not in asked and "substring" not in asked for asked in directory.asked)


def test_a_name_that_several_have_is_nobody_s(directory):
    shared = LdapDirectory(place(directory, user_filter="(mail={user})"))
    assert shared.person("shared@example.org", "ann's password") is None
    assert shared.person("ann@example.org", "ann's password").dn == ANN


def test_a_directory_that_refuses_the_service_or_is_away_is_unavailable(directory):
    with pytest.raises(Unavailable):
        LdapDirectory(place(directory, bind_password="wrong")).person("ann", "ann's password")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        gone = DirectoryPlace(f"ldap://127.0.0.1:{closed.getsockname()[1]}", "", "", BASE, starttls=False)
        with pytest.raises(Unavailable):
            LdapDirectory(gone).person("ann", "ann's password")


def test_a_password_is_not_said_where_tls_was_promised(directory):
    with pytest.raises(Unavailable):
        LdapDirectory(DirectoryPlace(directory.url, SERVICE, "service password", BASE)).person("ann", "ann's password")
    assert directory.binds == []


def test_logins_at_once_are_bounded(ldap):
    for _ in range(limits.LDAP_AT_ONCE_MAX):
        assert ldap._places.acquire(blocking=False)
    with pytest.raises(Unavailable):
        ldap.person("ann", "ann's password")


def test_no_repr_shows_the_service_s_password(directory):
    assert "service password" not in repr(place(directory))


# --- roles


@pytest.fixture
def room():
    made = Room()
    made.set_role(trust=trust({"Federated": "ldap"}, "sts:AssumeRoleWithLDAPIdentity"))
    return made


def login(room, ldap, username, password, *roles, **wanted):
    given = roles or (RoleOf(STAFF.lower(), ROLE_ARN),)
    logins = DirectoryLogins(room, room.issuing, ldap, given, Slowing(lambda: room.now_ms))
    return logins.assume_role(room.call_of(NOBODY), username, password, Wanted(**wanted))


def refused(*arguments, **wanted):
    with pytest.raises((S3Error, CommandRefused)) as caught:
        login(*arguments, **wanted)
    return caught.value.code


def test_a_member_of_the_group_gets_its_role(room, ldap):
    issued = login(room, ldap, "ann", "ann's password", policy=allow("s3:GetObject"))
    who = room.by(issued).caller.identity
    assert who.arn == f"arn:aws:sts::{TEAM}:assumed-role/reader/ann"
    assert who.keys["ldap:user"] == (ANN,)
    assert "ldap:groups" not in who.keys
    assert len(who.session) == 1


def test_who_has_no_role_or_another_password_is_told_the_same(room, ldap):
    assert refused(room, ldap, "ben", "ben's password") == "AccessDenied"
    assert refused(room, ldap, "ann", "wrong") == "AccessDenied"
    assert refused(room, ldap, "ann", "x" * 2_000) == "AccessDenied"


def test_a_person_may_be_given_a_role_themselves_and_the_first_that_fits_counts(room, ldap):
    room.set_role("writer", trust=trust({"Federated": "ldap"}, "sts:*"))
    writer = ROLE_ARN.replace("reader", "writer")
    roles = (RoleOf(ANN.lower(), writer), RoleOf(STAFF.lower(), ROLE_ARN))
    assert login(room, ldap, "ann", "ann's password", *roles).session.acts.name == "writer"
    assert login(room, ldap, "ann", "ann's password", *roles[::-1]).session.acts.name == "reader"


def test_the_role_s_trust_has_the_last_word(room, ldap):
    room.set_role(trust=trust("*", "sts:*"))
    assert refused(room, ldap, "ann", "ann's password") == "AccessDenied"
    condition = {"ForAnyValue:StringEquals": {"ldap:groups": STAFF}, "StringEquals": {"ldap:username": "ann"}}
    room.set_role(trust=trust({"Federated": "ldap"}, "sts:*", Condition=condition))
    assert login(room, ldap, "ann", "ann's password")
    room.set_role(trust=trust({"Federated": "ldap"}, "sts:*", Condition={"StringEquals": {"ldap:user": BEN}}))
    assert refused(room, ldap, "ann", "ann's password") == "AccessDenied"


def test_without_a_directory_nobody_logs_in(room):
    assert refused(room, None, "ann", "ann's password") == "InvalidAction"


def test_who_guesses_passwords_is_slowed_before_the_directory_hears_of_it(directory, room, ldap):
    roles = (RoleOf(STAFF.lower(), ROLE_ARN),)
    logins = DirectoryLogins(room, room.issuing, ldap, roles, Slowing(lambda: room.now_ms))

    def code(password):
        try:
            logins.assume_role(room.call_of(NOBODY), "ann", password, Wanted())
        except S3Error as error:
            return error.code
        return ""

    assert code("ann's password") == ""
    guesses = limits.ADMIN_FAILURES_FREE + 1
    assert [code(f"guess {number}") for number in range(guesses)] == ["AccessDenied"] * guesses
    heard = len(directory.binds)
    assert code("one more guess") == "SlowDown"
    assert len(directory.binds) == heard
    room.now_ms += 1000 * limits.ADMIN_WAIT_SECONDS_MAX
    assert code("ann's password") == ""
