"""Tokens of OIDC issuers: which are believed, what is asked of issuers, and what roles their bearers get."""

import json
import time

import jwt
import pytest

from app.adapters.https_get import Getter
from app.adapters.oidc import OidcIssuers
from app.core import limits
from app.core.errors import S3Error, Unavailable
from app.ports.federation import IdentityRefused
from app.services.call import NOBODY
from app.services.identity.commanding import CommandRefused
from app.services.identity.federation import WebLogins
from app.services.identity.sessions import Wanted
from tests.issuer import PATH, Issuer, ec_key, public, rsa_key
from tests.session_room import ROLE_ARN, TEAM, Room, allow, trust


class Clock:
    def __init__(self):
        self.passed = 0.0

    def __call__(self):
        return self.passed


@pytest.fixture
def issuer():
    with Issuer() as made:
        yield made


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def issuers(clock):
    return OidcIssuers(Getter(own_machine=True).get, clock, time.time, plain_http=True)


def told(issuers, token, *audiences):
    return issuers.claims(token, issuers.issuer_of(token), audiences or ("app",))


def code(issuers, token, *audiences):
    with pytest.raises(IdentityRefused) as caught:
        told(issuers, token, *audiences)
    return caught.value.code


# --- tokens


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
def test_an_rsa_signature_of_the_issuer_is_believed(issuer, issuers, algorithm):
    assert told(issuers, issuer.token(algorithm=algorithm))["sub"] == "ann"


@pytest.mark.parametrize(("algorithm", "curve"), [("ES256", "P-256"), ("ES384", "P-384")])
def test_an_elliptic_signature_of_the_issuer_is_believed(issuer, issuers, algorithm, curve):
    issuer.keys = [public(ec_key(curve), "ec")]
    assert told(issuers, issuer.token(ec_key(curve), algorithm, "ec"))["sub"] == "ann"


def test_a_token_without_or_with_a_shared_secret_is_refused(issuer, issuers):
    assert code(issuers, jwt.encode(issuer.claims(), "", "none", headers={"kid": "one"})) == "InvalidIdentityToken"
    issuer.keys = [{"kty": "oct", "kid": "one", "k": "c2VjcmV0"}, public(rsa_key(), "two")]
    shared = jwt.encode(issuer.claims(), "s" * 64, "HS256", headers={"kid": "one"})
    assert code(issuers, shared) == "InvalidIdentityToken"


def test_the_public_key_is_no_shared_secret(issuer, issuers):
    """The confusion of RS256 and HS256: signed with what everybody knows."""
    secret = issuer.keys[0]["n"]
    assert code(issuers, jwt.encode(issuer.claims(), secret, "HS256", headers={"kid": "one"})) == "InvalidIdentityToken"


def test_a_key_of_another_kind_or_use_is_not_taken(issuer, issuers):
    for key in (public(ec_key(), "one"), public(rsa_key(), "one", use="enc"), public(rsa_key(), "one", alg="PS256")):
        issuer.keys = [key]
        again = OidcIssuers(Getter(own_machine=True).get, Clock(), time.time, plain_http=True)
        assert code(again, issuer.token()) == "InvalidIdentityToken"


def test_a_short_key_is_refused(issuer, issuers):
    issuer.keys = [public(rsa_key(0, 1024), "one")]
    with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
        token = issuer.token(rsa_key(0, 1024))
    assert code(issuers, token) == "InvalidIdentityToken"


WRONG = {
    "another key": {"key": rsa_key(1)},
    "another audience": {"aud": "other"},
    "no audience": {"aud": None},
    "azp before aud": {"azp": "other"},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "no expiry": {"exp": None},
    "no issue": {"iat": None},
    "issued later": {"iat": int(time.time()) + 3_600},
    "not yet": {"nbf": int(time.time()) + 3_600},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_token_is_refused_for(issuer, issuers, wrong):
    assert code(issuers, issuer.token(**WRONG[wrong])) == "InvalidIdentityToken"


def test_a_token_that_has_ended_is_told_so(issuer, issuers):
    assert code(issuers, issuer.token(exp=int(time.time()) - 61)) == "ExpiredTokenException"


def test_any_of_several_audiences_is_taken_and_azp_before_them(issuer, issuers):
    assert told(issuers, issuer.token(aud=["x", "app"]))
    assert told(issuers, issuer.token(aud="account", azp="app"))
    assert code(issuers, issuer.token(), "none") == "InvalidIdentityToken"
    with pytest.raises(IdentityRefused):
        issuers.claims(issuer.token(), issuer.url, ())


@pytest.mark.parametrize("token", ["", "a", "a.b.c", "é.é.é", "." * 3, "x" * (limits.OIDC_TOKEN_CHARS_MAX + 1)])
def test_what_is_no_token_is_refused(issuers, token):
    with pytest.raises(IdentityRefused):
        issuers.issuer_of(token)


@pytest.mark.parametrize("name", ["http://x", "file:///etc/passwd", "x", "", None])
def test_an_issuer_is_named_by_an_https_url(issuer, name):
    strict = OidcIssuers(Getter().get, Clock(), time.time)
    with pytest.raises(IdentityRefused):
        strict.issuer_of(issuer.token(iss=name))


# --- asking the issuer


def test_keys_are_asked_for_once_and_again_after_a_while(issuer, issuers, clock):
    for _ in range(3):
        told(issuers, issuer.token())
    assert issuer.asked == [f"{PATH}/.well-known/openid-configuration", f"{PATH}/certs"]
    clock.passed = limits.OIDC_KEYS_SECONDS
    told(issuers, issuer.token())
    assert len(issuer.asked) == 4


def test_a_new_key_is_asked_for_but_not_at_strangers_pace(issuer, issuers, clock):
    told(issuers, issuer.token())
    issuer.keys = [public(rsa_key(1), "two")]
    fresh = issuer.token(rsa_key(1), key_id="two")
    for _ in range(5):
        assert code(issuers, fresh) == "InvalidIdentityToken"
    assert len(issuer.asked) == 2
    clock.passed = limits.OIDC_REFRESH_SECONDS_MIN
    assert told(issuers, fresh)
    assert len(issuer.asked) == 4


def test_an_issuer_that_is_away_is_not_asked_by_every_request(issuer, issuers, clock):
    issuer.documents[f"{PATH}/.well-known/openid-configuration"] = (500, {}, b"")
    for _ in range(5):
        assert code(issuers, issuer.token()) == "IDPCommunicationError"
    assert len(issuer.asked) == 1
    issuer.documents.clear()
    clock.passed = limits.OIDC_RETRY_SECONDS
    assert told(issuers, issuer.token())


def test_known_keys_are_believed_while_the_issuer_is_away(issuer, issuers, clock):
    told(issuers, issuer.token())
    issuer.documents[f"{PATH}/certs"] = (503, {}, b"")
    clock.passed = limits.OIDC_KEYS_SECONDS
    assert told(issuers, issuer.token())


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (302, {"Location": "/elsewhere"}, b""),
        (200, {}, b"no json"),
        (200, {}, b"[]"),
        (200, {}, b"[" * 100_000),
        (200, {}, b'{"issuer": "https://another.example", "jwks_uri": "https://another.example/certs"}'),
        (200, {}, b" " * (limits.OIDC_DOCUMENT_BYTES_MAX + 1)),
    ],
)
def test_what_an_issuer_must_not_answer_is_no_answer(issuer, issuers, status, headers, body):
    issuer.documents[f"{PATH}/.well-known/openid-configuration"] = (status, headers, body)
    assert code(issuers, issuer.token()) == "IDPCommunicationError"
    assert len(issuer.asked) == 1


def test_keys_are_asked_for_over_https_too(issuer):
    answer = {"issuer": issuer.url.replace("http", "https"), "jwks_uri": f"{issuer.url}/certs"}
    strict = OidcIssuers(lambda url: json.dumps(answer).encode(), Clock(), time.time)
    assert code(strict, issuer.token(iss=answer["issuer"])) == "IDPCommunicationError"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/x",
        "https://127.0.0.1:9/x",
        "https://[::1]:9/x",
        "https://[::ffff:127.0.0.1]:9/x",
        "https://169.254.169.254/latest/meta-data",
        "https://0.0.0.0/x",
        "https://user@127.0.0.1/x",
        "file:///etc/passwd",
        "https://",
        "https://127.0.0.1:x/",
    ],
)
def test_the_machine_s_own_services_are_not_asked(url):
    with pytest.raises(Unavailable):
        Getter().get(url)


# --- roles


@pytest.fixture
def room(issuer):
    made = Room()
    made.add_provider(issuer.name, "app")
    made.provider_arn = f"arn:aws:iam::{TEAM}:oidc-provider/{issuer.name}"
    condition = {"StringEquals": {f"{issuer.name}:aud": "app", f"{issuer.name}:sub": "ann"}}
    action = ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"]
    made.set_role(trust=trust({"Federated": made.provider_arn}, action, Condition=condition))
    return made


def login(room, issuers, token, **wanted):
    logins = WebLogins(room, room.issuing, issuers)
    return logins.assume_role(room.call_of(NOBODY), ROLE_ARN, token, Wanted("ann", **wanted))


def refused(room, issuers, token):
    with pytest.raises((S3Error, CommandRefused)) as caught:
        login(room, issuers, token)
    return caught.value.code


def test_the_bearer_of_a_token_gets_the_role_that_trusts_its_issuer(room, issuer, issuers):
    found = login(room, issuers, issuer.token())
    assert (found.subject, found.audience, found.provider) == ("ann", "app", issuer.url)
    who = room.by(found.issued).caller.identity
    assert who.arn == f"arn:aws:sts::{TEAM}:assumed-role/reader/ann"
    assert who.keys["aws:federatedprovider"] == (room.provider_arn,)
    assert who.keys[f"{issuer.name}:sub"] == ("ann",)


def test_conditions_on_claims_decide(room, issuer, issuers):
    assert refused(room, issuers, issuer.token(sub="eve")) == "AccessDenied"
    assert refused(room, issuers, issuer.token(aud="other")) == "InvalidIdentityToken"


@pytest.mark.parametrize(
    "principal", ["*", {"AWS": "*"}, {"AWS": TEAM}, {"Federated": "arn:aws:iam::1:oidc-provider/x"}]
)
def test_who_is_not_trusted_by_name_gets_nothing(room, issuer, issuers, principal):
    room.set_role(trust=trust(principal, "sts:*"))
    assert refused(room, issuers, issuer.token()) == "AccessDenied"


def test_an_issuer_the_account_does_not_know_is_not_even_asked(room, issuer, issuers):
    room.change(oidc_providers={})
    assert refused(room, issuers, issuer.token()) == "InvalidIdentityToken"
    assert issuer.asked == []


def test_a_session_dies_with_its_provider(room, issuer, issuers):
    issued = login(room, issuers, issuer.token()).issued
    assert room.by(issued)
    room.change(oidc_providers={})
    with pytest.raises(S3Error) as caught:
        room.by(issued)
    assert caught.value.code == "InvalidToken"


def test_a_token_may_bring_tags_and_a_source_identity(room, issuer, issuers):
    claim = {"principal_tags": {"team": ["red"]}, "transitive_tag_keys": ["team"]}
    more = {"https://aws.amazon.com/tags": claim, "https://aws.amazon.com/source_identity": "ann"}
    who = room.by(login(room, issuers, issuer.token(**more)).issued).caller.identity
    assert who.tags["team"] == "red"
    assert who.keys["aws:sourceidentity"] == ("ann",)


@pytest.mark.parametrize(
    "claim", ["x", {"principal_tags": []}, {"principal_tags": {"a": ["b", "c"]}}, {"principal_tags": {"a": 1}}]
)
def test_malformed_tags_of_a_token_are_refused(room, issuer, issuers, claim):
    assert refused(room, issuers, issuer.token(**{"https://aws.amazon.com/tags": claim})) == "InvalidIdentityToken"


def test_a_session_policy_narrows_here_too(room, issuer, issuers):
    issued = login(room, issuers, issuer.token(), policy=allow("s3:ListBucket")).issued
    assert [one.text for one in room.by(issued).caller.identity.session] == [allow("s3:ListBucket")]
