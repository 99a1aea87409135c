"""What the admin face must not be talked into: rights wider than a caller's own, by any of its paths."""

import os

import pytest

from app.adapters.cluster.sealing import Sealer
from app.core.cluster import AccessKey, apply
from app.faces.http.admin import Face, Gate, Probed, accounts, admin_application, identities, kms, permissions, tokens
from app.services.call import Sources
from app.services.identity.commanding import Desk, Identities
from app.services.identity.control import Control
from app.services.identity.iam import Iam
from app.services.identity.kms_keys import KmsKeys
from app.services.identity.tokens import BearerTokens
from tests.session_room import TEAM, Room, allow, text, user_arn

BOUND = f"arn:aws:iam::{TEAM}:policy/bound"
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def deny(action, **more):
    """A policy that allows everything but this."""
    return text(EVERYTHING, {"Effect": "Deny", "Action": action, "Resource": "*", **more})


class AdminRoom(Room):
    """The room of sessions with the admin face's identities in it; callers come by bearer tokens."""

    def __init__(self):
        super().__init__()
        made = Identities(lambda: f"AKIA{os.urandom(8).hex().upper()}", lambda: os.urandom(20).hex(), os.urandom)
        sources = Sources(lambda: self.now_ms, lambda: os.urandom(16))
        desk = Desk(self, sources, made)
        box = self.sealer.box("bearer token")
        self.bearers = BearerTokens(box.seal, box.open, sources.now_ms)
        iam, control = Iam(desk), Control(desk, Sealer(b"k" * 32, os.urandom).seal)
        keyring = KmsKeys(desk, lambda *_: b"sealed", "here")
        rooms = (
            kms.endpoints(keyring)
            + accounts.endpoints(control, iam)
            + identities.endpoints(iam, control)
            + permissions.endpoints(iam)
        )
        face = Face(Probed(str, lambda: (b"", "")), [*rooms, *tokens.endpoints(self.bearers, self.callers)])
        self.bugs = []
        self.face = admin_application(Gate(self, self.callers, sources, bearers=self.bearers), face, self.bugs.append)

    def submit(self, command):
        self.now, outcome = apply(self.now, command)
        return outcome

    def ask(self, by, method, path, **body):
        """The status of a call; `by`: an access key."""
        token = self.bearers.mint(self.call(by).caller, f"secret of {by}", 900).token
        return self.ask_with(token, method, path, **body)

    def ask_with(self, token, method, path, **body):
        headers = {"Authorization": f"Bearer {token}"}
        kept = {"environ_overrides": {"RAW_URI": path}, "headers": headers}
        given = {"json": body} if body else {}
        answer = self.face.test_client().open(path, method=method, **kept, **given)
        assert not self.bugs
        return answer.status_code

    def mia_may(self, policy):
        self.set_user("mia", inline={"all": policy})


@pytest.fixture
def room():
    made = AdminRoom()
    assert made.ask("AKIATEAM", "POST", "/v1/iam/policies", name="bound", document=EVERYTHING_BUT_IAM) == 201
    return made


EVERYTHING_BUT_IAM = {"Version": "2012-10-17", "Statement": [EVERYTHING]}


def test_a_denial_for_whoever_has_a_boundary_or_a_tag_holds_on_every_path_to_them(room):
    room.set_user("tom", boundary=BOUND, tags={"team": "red"})
    paths = (
        ("GET", "/v1/iam/users/tom", {}),
        ("PATCH", "/v1/iam/users/tom", {"disabled": False}),
        ("POST", "/v1/iam/users/tom/access-keys", {}),
        ("PUT", "/v1/iam/users/tom/inline-policies/x", {"document": EVERYTHING_BUT_IAM}),
        ("PUT", "/v1/iam/users/tom/attached-policies/" + BOUND, {}),
        ("PUT", "/v1/iam/users/tom/tags", {"tags": {"team": "blue"}}),
        ("DELETE", "/v1/iam/users/tom/boundary", {}),
        ("DELETE", "/v1/iam/users/tom", {}),
    )
    for key, value in (
        ("iam:PermissionsBoundary", BOUND), ("aws:ResourceTag/team", "red"), ("iam:ResourceTag/team", "red")
    ):  # fmt: skip
        room.mia_may(deny("admin:*", Condition={"StringEquals": {key: value}}))
        assert {room.ask("AKIAMIA", method, path, **body) for method, path, body in paths} == {403}
        assert room.ask("AKIAMIA", "GET", "/v1/iam/users/mia") == 200


def test_new_users_have_the_tags_they_may_have_and_who_may_not_tag_makes_none_with_tags(room):
    room.mia_may(deny("admin:*", Condition={"StringEquals": {"aws:RequestTag/role": "admin"}}))
    assert room.ask("AKIAMIA", "POST", "/v1/iam/users", username="a", tags={"role": "admin"}) == 403
    assert room.ask("AKIAMIA", "POST", "/v1/iam/users", username="a", tags={"role": "guest"}) == 201
    room.mia_may(deny("admin:TagUser"))
    assert room.ask("AKIAMIA", "POST", "/v1/iam/users", username="b", tags={"role": "guest"}) == 403
    assert room.ask("AKIAMIA", "POST", "/v1/iam/users", username="b") == 201


def test_replacing_all_tags_takes_none_away_from_which_one_is_kept(room):
    room.set_user("tom", tags={"locked": "yes"})
    room.mia_may(deny("admin:UntagUser", Condition={"ForAnyValue:StringEquals": {"aws:TagKeys": "locked"}}))
    assert room.ask("AKIAMIA", "PUT", "/v1/iam/users/tom/tags", tags={"role": "x"}) == 403
    assert room.ask("AKIAMIA", "PUT", "/v1/iam/users/tom/tags", tags={"role": "x", "locked": "yes"}) == 204


def test_nobody_moves_or_renames_to_where_they_may_not(room):
    room.mia_may(allow(resource=[user_arn("tom"), user_arn("t/*")]))
    assert room.ask("AKIAMIA", "PATCH", "/v1/iam/users/tom", new_username="admin") == 403
    assert room.ask("AKIAMIA", "PATCH", "/v1/iam/users/tom", new_path="/admins/") == 403
    assert room.ask("AKIAMIA", "PATCH", "/v1/iam/users/tom", new_path="/t/") == 200


def test_what_iam_denies_the_admin_face_does_not_do_instead(room):
    spared = text({"Effect": "Allow", "NotAction": ["iam:*", "organizations:*"], "Resource": "*"})
    for policy in (deny("iam:*"), deny("iam:CreateAccessKey"), spared):
        room.mia_may(policy)
        assert room.ask("AKIAMIA", "POST", "/v1/iam/users/tom/access-keys") == 403
    room.mia_may(allow("admin:*"))
    assert room.ask("AKIAMIA", "POST", "/v1/iam/users/tom/access-keys") == 201


def test_only_the_operator_itself_changes_its_keys_whatever_its_users_may(room):
    root = "/v1/accounts/root/access-keys"
    assert room.ask("AKIAROOT", "POST", "/v1/iam/users", username="op") == 201
    room.set_user("op", "root", inline={"all": allow()}, keys=(AccessKey("AKIAOP", b"s"),))
    assert room.ask("AKIAOP", "POST", "/v1/accounts/team/access-keys") == 201
    assert room.ask("AKIAOP", "POST", root) == 403
    assert room.ask("AKIAOP", "PATCH", root + "/AKIAROOT", active=False) == 403
    assert room.ask("AKIAOP", "DELETE", root + "/AKIAROOT") == 403
    assert room.ask("AKIAROOT", "POST", root) == 201


def test_a_key_of_the_keyring_that_may_not_be_touched_is_not_touched_by_its_other_names(room):
    assert room.ask("AKIAROOT", "POST", "/v1/iam/users", username="op") == 201
    spared = text(EVERYTHING, {"Effect": "Deny", "Action": "*", "Resource": "arn:aws:zapfs:::kms/keys/k1*"})
    room.set_user("op", "root", inline={"all": spared}, keys=(AccessKey("AKIAOP", b"s"),))
    assert room.ask("AKIAROOT", "POST", "/v1/kms/keys", key_id="k1", alias="alias/one") == 201
    arn = f"arn:aws:kms:here:{'9' * 12}:"
    for name in ("k1", "alias/one", arn + "key/k1", arn + "alias/one"):
        assert room.ask("AKIAOP", "PATCH", f"/v1/kms/keys/{name}", enabled=False) == 403
        assert room.ask("AKIAOP", "POST", f"/v1/kms/keys/{name}/rotate") == 403
        assert room.ask("AKIAOP", "DELETE", f"/v1/kms/keys/{name}") == 403
    assert room.ask("AKIAOP", "GET", "/v1/kms/keys") == 200


def test_a_token_dies_with_the_secret_it_was_made_for(room):
    old = room.bearers.mint(room.call("AKIAMIA").caller, "the secret before", 900).token
    assert room.ask_with(old, "GET", "/v1/iam/users") == 401
    assert room.ask("AKIAMIA", "GET", "/v1/iam/users") == 200


def test_a_token_that_is_good_pays_for_no_guesses_at_keys(room):
    for number in range(12):
        room.ask_with(f"zapfs_guess{number}", "GET", "/v1/iam/users")
    head = "AWS4-HMAC-SHA256 Credential=AK/20270115/x/zapfs/aws4_request, SignedHeaders=host, Signature=0"
    asked = {"headers": {"Authorization": head, "Date": "Fri, 15 Jan 2027 08:00:00 GMT"}}
    raw = {"environ_overrides": {"RAW_URI": "/v1/iam/users"}}
    assert room.face.test_client().get("/v1/iam/users", **asked, **raw).status_code == 429
    room.now_ms += 5_000
    assert room.ask("AKIAMIA", "GET", "/v1/iam/users") == 200
    for _ in range(2):
        answer = room.face.test_client().get("/v1/iam/users", **asked, **raw)
    assert answer.status_code == 429


def test_what_is_no_token_or_no_longer_one_is_challenged(room):
    over = room.bearers.mint(room.call("AKIAMIA").caller, "secret of AKIAMIA", 900).token
    gone = room.bearers.mint(room.call("AKIAMIA").caller, "the secret before", 900).token
    room.now_ms += 900_000
    invalid, expired = "InvalidBearerToken", "ExpiredBearerToken"
    for token, code in (("", invalid), ("abc", invalid), (over, expired), (gone, expired)):
        headers = {"Authorization": f"Bearer {token}"}
        answer = room.face.test_client().get("/v1/iam/users", headers=headers, environ_overrides={"RAW_URI": "/"})
        assert (answer.status_code, answer.json["error"]) == (401, code)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
