"""What must hold when everything is mended and quiet: histories explained, listing and reads of one mind, full again.

Knows the promises. Must not know faults. Each check raises Violation with what is wrong.
"""

import re
import time
from html import unescape

from app.cli.cluster_plan import GATEWAY
from tests.chaos.cluster import linear
from tests.chaos.cluster.history import Outcome
from tests.chaos.cluster.under_test import ClusterUnderTest
from tests.chaos.cluster.workload import CONTENT, Client, Scene

READ_SECONDS_MAX = 60.0
NEXT = re.compile(rb"<NextContinuationToken>([^<]+)<")


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
    """Redundancy is full again, and no device serves errors."""
    status = cluster.wait_healed()
    if any(profile["lost"] for profile in status["profiles"]):
        raise Violation(f"blobs are lost: {status['profiles']}")
