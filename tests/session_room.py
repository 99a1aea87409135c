"""A control state with accounts, users and roles, and everything that issues and believes sessions on top of it."""

import json
import os
from dataclasses import replace
from itertools import count

import pytest

from app.adapters.cluster.sealing import Sealer
from app.adapters.sessions import SessionTokens
from app.core.cluster import AccessKey, Account, ClusterState, OidcProvider, Role, User, apply, assembled
from app.core.errors import S3Error
from app.services.call import Call, Caller, Facts, Sources, Stages
from app.services.gate.callers import Callers, Tokens
from app.services.gate.permits import Deed
from app.services.identity.commanding import CommandRefused, Identities
from app.services.identity.issuing import Issuing
from app.services.identity.sessions import Sessions, Wanted

NOW_MS = 1_800_000_000_000
TEAM, OTHER = "111122223333", "444455556666"
MASTER_KEY = b"m" * 32
ROLE_ARN = f"arn:aws:iam::{TEAM}:role/reader"


def text(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action="*", resource="*", **more):
    return text({"Effect": "Allow", "Action": action, "Resource": resource, **more})


def trust(principal, action="sts:AssumeRole", **more):
    return text({"Effect": "Allow", "Principal": principal, "Action": action, **more})


def user_arn(name, account=TEAM):
    return f"arn:aws:iam::{account}:user/{name}"


class Room:
    """`now_ms` is the time; `submit` applies a command at once."""

    def __init__(self):
        self.now_ms = NOW_MS
        mia = User("mia", "AIDAMIA", 1, inline={"all": allow()}, keys=(AccessKey("AKIAMIA", b"s"),))
        tom = User("tom", "AIDATOM", 1, keys=(AccessKey("AKIATOM", b"s"),))
        reader = Role(
            "reader", "AROAREADER", 1, trust({"AWS": user_arn("mia")}), inline={"s3": allow(["s3:*", "iam:*", "sts:*"])}
        )
        team = Account(
            TEAM, "c" * 64, "team", "", 5, (AccessKey("AKIATEAM", b"s"),),
            users={"mia": mia, "tom": tom}, roles={"reader": reader},
        )  # fmt: skip
        zoe = User("zoe", "AIDAZOE", 1, keys=(AccessKey("AKIAZOE", b"s"),))
        other = Account(OTHER, "d" * 64, "other", "", 6, (AccessKey("AKIAOTHER", b"s"),), users={"zoe": zoe})
        operator = Account("9" * 12, "e" * 64, "root", "", 7, (AccessKey("AKIAROOT", b"s"),), root=True)
        self.now: ClusterState = assembled(1, [team, other, operator], (), {})
        self.sealer = Sealer(MASTER_KEY, os.urandom)
        self.tokens = SessionTokens(self.sealer)
        self.callers = Callers(
            self, lambda key, sealed: f"secret of {key}", Tokens(self.tokens.open, lambda: self.now_ms)
        )
        numbers = count(1)
        made = Identities(lambda: f"AKIA{next(numbers):016d}", lambda: f"secret-{next(numbers):033d}", os.urandom)
        self.issuing = Issuing(self, self.tokens.seal, Sources(lambda: self.now_ms, lambda: os.urandom(16)), made)
        self.sessions = Sessions(self, self.issuing)

    # --- Cluster

    def state(self):
        return self.now

    def submit(self, command):
        self.now, outcome = apply(self.now, command)
        assert not outcome.error, outcome
        return outcome

    def close(self): ...

    # --- asking

    def call(self, access_key, token="") -> Call:
        """A request by the holder of a key, as the door makes it."""
        known = self.callers.find(access_key, token)
        assert known is not None
        assert known.secret is not None
        return self.call_of(known.caller)

    def call_of(self, caller: Caller) -> Call:
        return Call(caller, "R", self.now_ms, Stages(), Facts())

    def by(self, issued) -> Call:
        """A request with credentials that were issued."""
        return self.call(issued.session.access_key, issued.token)

    # --- changing

    def change(self, account="team", **changes):
        """Another value for fields of an account, without a command."""
        accounts = dict(self.now.accounts)
        accounts[account] = replace(accounts[account], **changes)
        self.now = replace(assembled(self.now.version + 1, accounts.values(), (), {}), placement=self.now.placement)

    def set_role(self, name="reader", account="team", **changes):
        roles = dict(self.now.accounts[account].roles)
        roles[name] = replace(roles.get(name) or Role(name, f"AROA{name.upper()}", 1, trust("*")), name=name, **changes)
        self.change(account, roles=roles)

    def set_user(self, name, account="team", **changes):
        users = dict(self.now.accounts[account].users)
        users[name] = replace(users[name], **changes)
        self.change(account, users=users)

    def add_provider(self, name, *client_ids):
        self.change(oidc_providers={name: OidcProvider(name, 3, client_ids)})


GET = Deed("s3:GetObject", "arn:aws:s3:::b/k", TEAM)


def refused(act, *arguments):
    """The code an act is refused with."""
    with pytest.raises((S3Error, CommandRefused)) as caught:
        act(*arguments)
    return caught.value.code


def assumed(room, name="now", **wanted):
    """The role's session of the user it trusts."""
    return room.sessions.assume_role(room.call("AKIAMIA"), ROLE_ARN, Wanted(name, **wanted))
