"""What acts in the background, on a real server with a day of one second: rules, webhooks, logs, inventories."""

import csv
import gzip
import io
import json
import re
import shlex
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.integration.server import Server

QUEUE = "arn:zapfs:sqs:us-east-1:000000000000:hook"
PATIENCE_SECONDS = 20.0


class Hook:
    """A webhook: keeps what it takes; while `refusing` it takes nothing."""

    def __init__(self) -> None:
        self.refusing = False
        self.refused = 0
        self.records: list[dict[str, Any]] = []
        self.tokens: set[str | None] = set()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.tokens.add(self.headers["Authorization"])
                if hook.refusing:
                    hook.refused += 1
                else:
                    hook.records += json.loads(body)["Records"]
                self.send_response(503 if hook.refusing else 200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/events"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def names(self) -> set[tuple[str, str]]:
        return {(record["eventName"], record["s3"]["object"]["key"]) for record in self.records}


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()
    yield hook
    hook.server.shutdown()


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def keys(s3: Any, bucket: str) -> list[str]:
    return [each["Key"] for each in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def expire(prefix: str) -> dict[str, Any]:
    return {"ID": "r", "Filter": {"Prefix": prefix}, "Status": "Enabled", "Expiration": {"Days": 1}}


def test_rules_act_and_operators_see_it(own_server: Callable[..., Server]) -> None:
    server = own_server(
        arguments=["--lifecycle-day-s", "1", "--transition-bytes-min", "0", "--storage-classes", "STANDARD,LUKEWARM"]
    )
    s3 = server.client()
    s3.create_bucket(Bucket="lives")
    for key in ("old/a", "old/b", "keep/a", "cold/a"):
        s3.put_object(Bucket="lives", Key=key, Body=b"x")
    cold = {"ID": "c", "Filter": {"Prefix": "cold/"}, "Status": "Enabled"}
    cold["Transitions"] = [{"Days": 1, "StorageClass": "LUKEWARM"}]
    s3.put_bucket_lifecycle_configuration(Bucket="lives", LifecycleConfiguration={"Rules": [expire("old/"), cold]})
    until(lambda: keys(s3, "lives") == ["cold/a", "keep/a"])
    until(lambda: s3.head_object(Bucket="lives", Key="cold/a").get("StorageClass") == "LUKEWARM")
    assert s3.get_object(Bucket="lives", Key="cold/a")["Body"].read() == b"x"
    status = json.loads(server.admin("lifecycle", "status", "lives", "--json"))
    assert [rule["id"] for rule in status["rules"]] == ["r", "c"]
    assert json.loads(server.admin("lifecycle", "dry-run", "lives", "--json"))["actions"] == []
    server.stop()


def test_every_event_reaches_its_target_though_the_target_fails_and_the_server_is_killed(
    own_server: Callable[..., Server], hook: Hook, tmp_path: Any
) -> None:
    (tmp_path / "token").write_text("secret\n")
    target = f"{QUEUE} {hook.url} {tmp_path / 'token'}"
    server = own_server(arguments=["--notification-targets", target])
    s3 = server.client()
    s3.create_bucket(Bucket="tells")
    rule = {"Id": "q", "QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}
    rule["Filter"] = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "told/"}]}}
    s3.put_bucket_notification_configuration(Bucket="tells", NotificationConfiguration={"QueueConfigurations": [rule]})
    hook.refusing = True
    s3.put_object(Bucket="tells", Key="told/a b", Body=b"x")
    s3.put_object(Bucket="tells", Key="silent", Body=b"x")
    until(lambda: hook.refused)
    for number in range(20):
        s3.put_object(Bucket="tells", Key=f"told/{number}", Body=b"x")
    s3.delete_object(Bucket="tells", Key="told/0")
    server.kill()
    hook.refusing = False
    server.start()
    wanted = {("ObjectCreated:Put", f"told%2F{number}") for number in range(20)}
    wanted |= {("ObjectCreated:Put", "told%2Fa+b"), ("ObjectRemoved:Delete", "told%2F0")}
    until(lambda: hook.names() >= wanted)
    assert hook.names() == wanted
    assert hook.tokens == {"Bearer secret"}
    of_zero = sorted(
        (each["s3"]["object"]["sequencer"], each["eventName"])
        for each in hook.records
        if each["s3"]["object"]["key"] == "told%2F0"
    )
    assert of_zero[-1][1] == "ObjectRemoved:Delete"
    server.stop()


def test_unknown_targets_are_refused(s3: Any, bucket: str) -> None:
    rule = {"QueueArn": "arn:aws:sqs:us-east-1:1:none", "Events": ["s3:ObjectCreated:*"]}
    with pytest.raises(s3.exceptions.ClientError, match="Unable to validate the following destination"):
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [rule]}
        )


def test_access_logs_are_written_where_they_may_be(own_server: Callable[..., Server]) -> None:
    server = own_server(arguments=["--access-log-roll-s", "1", "--object-ownership", "ObjectWriter"], workers=1)
    s3 = server.client()
    for name in ("watched", "logs"):
        s3.create_bucket(Bucket=name)
    asked = {"LoggingEnabled": {"TargetBucket": "logs", "TargetPrefix": "log/"}}
    with pytest.raises(s3.exceptions.ClientError, match="InvalidTargetBucketForLogging"):
        s3.put_bucket_logging(Bucket="watched", BucketLoggingStatus=asked)
    s3.put_bucket_acl(Bucket="logs", ACL="log-delivery-write")
    s3.put_bucket_logging(Bucket="watched", BucketLoggingStatus=asked)
    s3.put_object(Bucket="watched", Key='a "b" \n', Body=b"x")
    until(lambda: keys(s3, "logs"))
    text = "".join(s3.get_object(Bucket="logs", Key=key)["Body"].read().decode() for key in keys(s3, "logs"))
    assert re.fullmatch(r"log/\d{4}(-\d\d){5}-[0-9A-F]{16}", keys(s3, "logs")[0])
    lines = [shlex.split(line.replace("[", '"').replace("]", '"')) for line in text.splitlines()]
    assert all(len(line) == 26 for line in lines)
    [put] = [line for line in lines if line[6] == "REST.PUT.OBJECT"]
    assert put[1] == "watched"
    assert put[7] == "a%20%22b%22%20%0A"
    assert put[9] == "200"
    server.stop()


def test_an_inventory_lists_the_bucket(own_server: Callable[..., Server]) -> None:
    server = own_server(arguments=["--lifecycle-day-s", "4"], workers=1)
    s3 = server.client()
    for name in ("counted", "lists"):
        s3.create_bucket(Bucket=name)
    for number in range(3):
        s3.put_object(Bucket="counted", Key=f"k {number}", Body=b"x" * number)
    asked = {
        "Id": "daily",
        "IsEnabled": True,
        "IncludedObjectVersions": "Current",
        "Schedule": {"Frequency": "Daily"},
        "OptionalFields": ["Size", "ETag"],
        "Destination": {"S3BucketDestination": {"Bucket": "arn:aws:s3:::lists", "Format": "CSV", "Prefix": "inv"}},
    }
    s3.put_bucket_inventory_configuration(Bucket="counted", Id="daily", InventoryConfiguration=asked)
    assert s3.get_bucket_inventory_configuration(Bucket="counted", Id="daily")["InventoryConfiguration"] == asked
    until(lambda: [key for key in keys(s3, "lists") if key.endswith("manifest.checksum")])
    name = next(key for key in keys(s3, "lists") if key.endswith("manifest.json"))
    manifest = json.loads(s3.get_object(Bucket="lists", Key=name)["Body"].read())
    assert manifest["fileSchema"] == "Bucket, Key, Size, ETag"
    data = s3.get_object(Bucket="lists", Key=manifest["files"][0]["key"])["Body"].read()
    rows = list(csv.reader(io.StringIO(gzip.decompress(data).decode())))
    assert [row[:3] for row in rows] == [["counted", f"k%20{number}", str(number)] for number in range(3)]
    server.stop()
