"""How exact limits are over the workers of a real server, and what they cost a request: python -m tests.bench.limits

Knows a server's command line and its own clock. Not part of `make test`: what it says depends on the machine.
"""

import http.client
import json
import os
import sys
import threading
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from app.adapters.shared_tally import SharedTally
from app.core.cluster import Account, Limits
from app.core.cluster.state import assembled
from app.services.limits.rates import Rates
from tests.integration.server import DEVELOPMENT, Server, temporary_directory
from tests.wire.signer import EMPTY_SHA256, Signer

WORKERS, CLIENTS, SECONDS, RATE = 4, 8, 6.0, 200


def cost(directory: Path) -> None:
    """Microseconds of one admission, without limits and with three that bind."""
    account = Account("1" * 12, "a" * 64, "alice", "", 0)
    free = assembled(1, [account], (), {})
    rated = Limits(requests_per_s=1 << 40, bytes_per_s=1 << 50)
    bound = replace(free, limits={"all/": rated, "account/alice": rated, "bucket/b": rated})
    tally = SharedTally(directory / "rates")
    for name, state in (("no limits", free), ("three scopes", bound)):
        rates = Rates(lambda state=state: state, tally, time.monotonic, lambda *_: None)  # type: ignore[misc]
        begun = time.perf_counter()
        for _ in range(100_000):
            rates.admit(account.account_id, "b", 4096)
        sys.stdout.write(f"{name}: {(time.perf_counter() - begun) * 10:.2f} us an admission\n")


def ask(port: int, method: str, path: str, body: bytes, service: str) -> int:
    """The status of one signed request on a connection of its own."""
    head = {"host": f"127.0.0.1:{port}"}
    digest = sha256(body).hexdigest() if body else EMPTY_SHA256
    signed = Signer(DEVELOPMENT, service=service).sign(method, path, head, digest)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, signed)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def exactness(directory: Path) -> None:
    """Requests a second that four workers let through of all that eight clients can ask, against the rate set."""
    with Server(directory / "data", workers=WORKERS, dev=True) as server:
        ask(server.s3_port, "PUT", "/rated", b"", "s3")
        ask(server.admin_port, "PUT", "/v1/limits/bucket/rated", json.dumps({"requests_per_s": RATE}).encode(), "zapfs")
        while all(ask(server.s3_port, "HEAD", "/rated", b"", "s3") == 200 for _ in range(1)):
            pass
        statuses: list[int] = []
        end = time.monotonic() + SECONDS

        def press() -> None:
            while time.monotonic() < end:
                statuses.append(ask(server.s3_port, "HEAD", "/rated", b"", "s3"))

        clients = [threading.Thread(target=press) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
    through = statuses.count(200) / SECONDS
    sys.stdout.write(f"{len(statuses) / SECONDS:.0f} asked a second, {through:.0f} let through, {RATE} allowed\n")


def overshoot(directory: Path) -> None:
    """Objects that four workers take beyond a quota of 1,500, of eight clients that write on."""
    with Server(directory / "full", workers=WORKERS, dev=True) as server:
        ask(server.s3_port, "PUT", "/full", b"", "s3")
        ask(server.admin_port, "PUT", "/v1/limits/bucket/full", json.dumps({"objects": 1_500}).encode(), "zapfs")
        time.sleep(1.2)  # in force in every worker
        taken: list[int] = []

        def fill(client: int) -> None:
            count = 0
            while ask(server.s3_port, "PUT", f"/full/{client}-{count}", bytes(4096), "s3") == 200 or len(taken) < 1_400:
                count += 1
                taken.append(count)

        clients = [threading.Thread(target=fill, args=(number,)) for number in range(CLIENTS)]
        begun = time.monotonic()
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        rate = len(taken) / (time.monotonic() - begun)
    sys.stdout.write(f"{len(taken)} objects taken of 1,500 allowed, at {rate:.0f} a second\n")


if __name__ == "__main__":
    with temporary_directory(os.environ.get("TMPDIR")) as where:
        cost(where)
        exactness(where)
        overshoot(where)
