"""What must hold when everything is mended and quiet: histories explained, listing and reads of one mind, full again.

Knows the promises. Must not know faults. Each check raises Violation with what is wrong.
"""

import re
import time
from collections import Counter
from html import unescape

from app.cli.cluster_plan import GATEWAY
from app.core.layout.blob_ids import blob_of, profile_of
from app.core.limits import ATTEMPT_SECONDS_MAX
from tests.chaos.cluster import linear, storage
from tests.chaos.cluster.history import Outcome
from tests.chaos.cluster.storage import stored
from tests.chaos.cluster.under_test import GRACE_SECONDS, ClusterUnderTest
from tests.chaos.cluster.workload import CONTENT, Client, Scene

READ_SECONDS_MAX = 60.0
NEXT = re.compile(rb"<NextContinuationToken>([^<]+)<")


COLLECTED_SECONDS_MAX = 30.0
SCRUBBED_SECONDS_MAX = 120.0
SCRUB_BYTES_PER_S = 1 << 30
CHUNKS_OF_AN_ATTEMPT = 2
WAIT_SECONDS_MAX = GRACE_SECONDS + ATTEMPT_SECONDS_MAX  # of a blob that was freed, by the clock of who freed it


class Violation(AssertionError):
    """The cluster broke a promise."""


def read_everything(scene: Scene) -> dict[str, str]:
    """Read every key until each has answered, recorded as reads; key -> value seen."""
    client = Client(scene, "last", 0)
    deadline = time.monotonic() + READ_SECONDS_MAX
    seen = {}
    for key in scene.all_keys():
        while True:
            client.read(key)
            last = scene.history.operations[-1]
            if last.outcome is Outcome.OK:
                seen[key] = last.value
                break
            if time.monotonic() > deadline:
                raise Violation(f"{key} cannot be read after everything was mended: {client.statuses}")
            time.sleep(0.1)
    return seen


def listed(cluster: ClusterUnderTest, scene: Scene, gateway: int) -> dict[str, str]:
    """Key -> value of everything a gateway lists."""
    raw, found, token = cluster.raw(gateway), {}, ""
    while True:
        answer = raw.call("GET", f"/{scene.bucket}?list-type=2&max-keys=17{token}")
        if answer.status != 200:
            raise Violation(f"a listing answers {answer.status} {answer.code}")
        for key, etag in CONTENT.findall(answer.body):
            found[key.decode()] = scene.etags.value(unescape(etag.decode()))
        following = NEXT.search(answer.body)
        if following is None:
            return found
        token = f"&continuation-token={following[1].decode()}"


def listing_agrees(cluster: ClusterUnderTest, scene: Scene, seen: dict[str, str]) -> None:
    """Every gateway lists exactly what is read."""
    there = {key: value for key, value in seen.items() if value}
    for number in range(len(cluster.names(GATEWAY))):
        found = listed(cluster, scene, number)
        if found != there:
            wrong = {
                key: (found.get(key), there.get(key)) for key in {*found, *there} if found.get(key) != there.get(key)
            }
            raise Violation(f"gateway {number} lists otherwise than is read (listed, read): {wrong}")


def explained(scene: Scene) -> None:
    """Every key's history has an explanation; no acknowledged write is lost."""
    broken = linear.check(scene.history)
    if broken:
        raise Violation("\n\n".join(one.told() for one in broken[:3]))


def whole(cluster: ClusterUnderTest) -> None:
    """Redundancy is full again."""
    status = cluster.wait_healed()
    if any(profile["lost"] for profile in status["profiles"]):
        raise Violation(f"blobs are lost: {status['profiles']}")


def scrubbed(cluster: ClusterUnderTest) -> dict[int, int]:
    """Every byte was read since now, and redundancy is full; the number of fragments of a blob by its profile."""
    asked_ms = cluster.ask("POST", "/v1/cluster/scrub", {"now": True, "rate": SCRUB_BYTES_PER_S})["asked_ms"]

    def through() -> bool:
        profiles = cluster.status().get("profiles", [])
        return bool(profiles) and all(one["verified_ms"] >= asked_ms for one in profiles)

    cluster.eventually(through, "not every byte is read", SCRUBBED_SECONDS_MAX)
    profiles = cluster.wait_healed()["profiles"]
    return {one["number"]: sum(map(int, re.findall(r"\d+", one["redundancy"]))) for one in profiles}


def readable(cluster: ClusterUnderTest) -> None:
    """`zapfs fsck` reads every object back whole."""
    done = cluster.zapfs("fsck", "--config", str(cluster.member(cluster.names(GATEWAY)[0]).config))
    if done.returncode != 0:
        raise Violation(f"fsck: {done.stdout}{done.stderr}")


def sound(cluster: ClusterUnderTest, hosts: list[str], live: frozenset[bytes], widths: dict[int, int]) -> None:
    """On the devices of these hosts of a stopped cluster every live blob has all its fragments, each of them right."""
    right = {fragment for name in hosts for device in cluster.devices(name) for fragment in storage.sound(device)}
    found = Counter(map(blob_of, right))
    short = {blob.hex(): found[blob] for blob in live if found[blob] < widths[profile_of(blob)]}
    if short:
        raise Violation(f"said to be healed, and of these not all fragments are right: {short}")


def collected(cluster: ClusterUnderTest, scene: Scene, before: set[bytes]) -> None:
    """Collection has taken what was freed, and nothing else: no row waits, and no referenced blob is missing.

    Blobs of attempts that were cut off are known to no row, and stay until the orphan sweep finds them old enough; of
    those there may be no more than attempts without success, beside the ones known `before`. What was freed by a clock
    that was ahead waits by that clock."""

    def swept() -> bool:
        ahead_ms, now_ms = cluster.clocks.ahead_ms, int(time.time() * 1000)
        limit_ms = now_ms + ahead_ms + WAIT_SECONDS_MAX * 1000
        return all(ahead_ms and now_ms < due_ms < limit_ms for due_ms in stored(cluster).waiting.values())

    cluster.eventually(swept, "freed blobs are not removed", COLLECTED_SECONDS_MAX)
    found = stored(cluster)
    if found.missing():
        raise Violation(f"blobs no device has: {sorted(blob.hex() for blob in found.missing())[:5]}")
    attempts = scene.history.count(Outcome.UNKNOWN, Outcome.FAILED, Outcome.REFUSED)
    unknown = found.unknown() - before
    if len(unknown) > CHUNKS_OF_AN_ATTEMPT * attempts:
        raise Violation(f"{len(unknown)} blobs no row knows, after {attempts} attempts without success")
