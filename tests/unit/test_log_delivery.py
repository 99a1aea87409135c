"""Access logs over a whole server in one process: who may have one written, and what is written where."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.acl import grants
from app.core.acl.settings import ACL
from app.core.s3.access_log import Entry
from app.core.s3.configs import logging
from app.core.types import Bucket
from app.services.background.access_logs import AccessLogs
from app.services.background.log_permission import may_deliver
from app.services.gate.directory import Directory
from tests.house import OTHER, OWNER, Accounts, House

SOURCE = Bucket(b"s" * 16, "source", OWNER.canonical_id, 0)


def policy(**conditions: Any) -> bytes:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::logs/log/*",
    }
    if conditions:
        statement["Condition"] = conditions
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}).encode()


def logs(owner: str = OWNER.canonical_id, **configs: bytes) -> Bucket:
    return Bucket(b"l" * 16, "logs", owner, 0, configs=configs)


@pytest.mark.parametrize(
    ("target", "key", "allowed"),
    [
        (logs(), "log/x", False),
        (logs(policy=policy()), "log/x", True),
        (logs(policy=policy()), "other/x", False),
        (logs(policy=policy(ArnLike={"aws:SourceArn": "arn:aws:s3:::source"})), "log/x", True),
        (logs(policy=policy(ArnLike={"aws:SourceArn": "arn:aws:s3:::another"})), "log/x", False),
        (logs(policy=policy(StringEquals={"aws:SourceAccount": OWNER.account_id})), "log/x", True),
        (logs(policy=policy(StringEquals={"aws:SourceAccount": OTHER.account_id})), "log/x", False),
        (logs(policy=b"{"), "log/x", False),
        (logs(OTHER.canonical_id, policy=policy()), "log/x", False),
    ],
)
def test_a_policy_lets_logs_be_delivered(target: Bucket, key: str, allowed: bool) -> None:
    assert may_deliver(Directory(Accounts()), SOURCE, target, key, 0) is allowed


def test_the_log_delivery_group_may_be_let_in() -> None:
    listed = grants.encode(grants.canned("log-delivery-write", OWNER.canonical_id), OWNER.canonical_id).encode()
    assert may_deliver(Directory(Accounts()), SOURCE, logs(**{ACL: listed}), "any", 0)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


def entry(house: House) -> Entry:
    told = ("o", "source", "::1", "", "R", "GetObject", "GET", b"k", "/source/k", 200, "", 3, 1, *[""] * 7)
    return Entry(house.now_ms, *told)  # type: ignore[arg-type]


def test_lines_are_kept_until_they_are_written_and_lost_with_the_permission(house: House) -> None:
    dropped: list[str] = []
    for name in ("source", "logs"):
        house.store.bucket_create(Bucket(house.sources.new_id(), name, OWNER.canonical_id, house.now_ms))
    made = logging.canonical(
        b"<BucketLoggingStatus><LoggingEnabled><TargetBucket>logs</TargetBucket><TargetPrefix>log/</TargetPrefix>"
        b"<TargetGrants><Grant><Grantee xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='CanonicalUser'>"
        + f"<ID>{OTHER.canonical_id}</ID>".encode()
        + b"</Grantee><Permission>READ</Permission></Grant></TargetGrants></LoggingEnabled></BucketLoggingStatus>"
    )
    assert made is not None
    set_config(house, "source", "logging", made[0])
    set_config(house, "logs", "policy", policy())
    keeper = AccessLogs(house.store, house.objects, Directory(Accounts()), house.sources, "r", dropped.append)
    source = keeper.keeps("source")
    assert source is not None
    assert keeper.keeps("logs") is None
    assert keeper.keeps("nowhere") is None
    for _ in range(3):
        keeper.gather(source, entry(house))
    assert keeper.roll() == 1
    assert keeper.roll() == 0
    [written] = house.store.currents_scan(house.store.bucket_get("logs").bucket_id, b"", True, None, 9)
    assert written.key.startswith(b"log/2027-")
    version = house.store.current(written.bucket_id, written.key)
    assert written.owner == OWNER.canonical_id
    assert grants.Grant(OTHER.canonical_id, "READ") in grants.decode(version.attributes.acl, version.owner)
    set_config(house, "logs", "policy", b"{}")
    keeper.gather(source, entry(house))
    assert keeper.roll() == 0
    assert len(dropped) == 1


def set_config(house: House, name: str, kind: str, document: bytes) -> None:
    bucket = house.store.bucket_get(name)
    house.store.bucket_amend(
        bucket.bucket_id,
        lambda now: Bucket(now.bucket_id, now.name, now.owner, now.created_ms, configs={**now.configs, kind: document}),
    )
