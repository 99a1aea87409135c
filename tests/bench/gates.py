"""What each way through the gate adds to a small request: one server, one run, the ways in turn, against the plain one.

Knows how to set up a bucket or a caller of each kind. Must not know how loads are made (crew) or shown (report).
"""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.crew import Score, Shot, measure
from tests.integration.server import Server
from tests.wire.signer import Credentials, Signer

SIZE_BYTES = 4096
CONNECTIONS = 32
OBJECTS = 256
ROUNDS = 2
USER = Credentials("AKIABENCHBENCHUSER00", "bench-user-secret-bench-user-secret-0000")
ACCOUNT = "gatebench"


@dataclass(frozen=True, slots=True)
class Way:
    """One kind of bucket or caller. `bucket` is set up when the way is made."""

    name: str
    bucket: str
    keys: Credentials


@dataclass(frozen=True, slots=True)
class Passage:
    """What a way gave, best of the rounds by CPU."""

    name: str
    put: Score
    get: Score


def passages(server: Server, seconds: float, scratch: Path) -> list[Passage]:
    """Every way measured in turn, ROUNDS times over: other load strikes all alike. The plain one comes first."""
    ways = list(_ways(server, scratch))
    found: dict[str, Passage] = {}
    for number in range(ROUNDS):
        for way in ways:
            put, get = _measured(server, way, seconds, number)
            best = found.get(way.name)
            if best is not None:
                put, get = min(best.put, put, key=_cost), min(best.get, get, key=_cost)
            found[way.name] = Passage(way.name, put, get)
    return list(found.values())


def _cost(score: Score) -> float:
    return score.cpu_us


def _measured(server: Server, way: Way, seconds: float, number: int) -> tuple[Score, Score]:
    pids = server.pids()
    write = Shot(server.s3_port, "PUT", CONNECTIONS, seconds, signer=Signer(way.keys), body_bytes=SIZE_BYTES)
    put = measure(replace(write, prefix=f"/{way.bucket}/put{number}"), pids)
    read = Shot(server.s3_port, "GET", CONNECTIONS, seconds, signer=Signer(way.keys), answer_bytes=SIZE_BYTES)
    get = measure(replace(read, targets=[f"/{way.bucket}/get/{each}" for each in range(OBJECTS)]), pids)
    return put, get


def _ways(server: Server, scratch: Path) -> Iterator[Way]:
    owner = server.create_account(ACCOUNT)
    policy = scratch / "policy.json"
    policy.write_text(json.dumps(_document(["s3:GetObject", "s3:PutObject", "s3:ListBucket"])))
    server.admin("user", "create", "reader", "--account", ACCOUNT)
    server.admin("user", "put-policy", "reader", "bench", str(policy), "--account", ACCOUNT)
    keys = ["--access-key", USER.access_key, "--secret-key", USER.secret_key]
    server.admin("key", "create", "reader", "--account", ACCOUNT, *keys)
    time.sleep(1.1)
    s3 = server.client(owner)
    for name, keys_of in (("plain", owner), ("versioned", owner), ("policy", owner), ("user", USER), ("lists", owner)):
        bucket = f"gate-{name}"
        s3.create_bucket(Bucket=bucket, **({"ObjectOwnership": "ObjectWriter"} if name == "lists" else {}))
        if name == "versioned":
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        if name == "policy":
            s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(_bucket_policy(bucket)))
        for each in range(OBJECTS):
            s3.put_object(Bucket=bucket, Key=f"get/{each}", Body=os.urandom(SIZE_BYTES))
        yield Way(_SHOWN[name], bucket, keys_of)


_SHOWN = {
    "plain": "owner's root key, plain bucket",
    "versioned": "the same, versioning enabled",
    "policy": "the same, bucket policy of three statements",
    "user": "a user, by one identity policy",
    "lists": "owner's root key, ACLs in force",
}


def _document(actions: list[str]) -> dict[str, object]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}


def _bucket_policy(bucket: str) -> dict[str, object]:
    """One allow for somebody else and two denials that look at the request."""
    arn = f"arn:aws:s3:::{bucket}"
    statements: list[dict[str, object]] = [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
            "Action": "s3:GetObject",
            "Resource": f"{arn}/public/*",
        },
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, f"{arn}/*"],
            "Condition": {"NotIpAddress": {"aws:SourceIp": ["127.0.0.0/8", "10.0.0.0/8"]}},
        },
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": f"{arn}/*",
            "Condition": {"StringEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}},
        },
    ]
    return {"Version": "2012-10-17", "Statement": statements}
