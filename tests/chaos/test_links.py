"""Links between members pass bytes, and stop passing them when told, one way or both."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.chaos.cluster.links import BREAK, DELAY, HOLD, Links
from tests.chaos.cluster.switchboard import OUTER

QUIET_SECONDS = 0.3


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that sends back what it gets; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(one: socket.socket) -> None:
        with one:
            try:
                while data := one.recv(65536):
                    one.sendall(data)
            except OSError:
                return

    def serve() -> None:
        while True:
            try:
                one, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(one,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


@pytest.fixture
def links(echo: int) -> Iterator[Links]:
    """Links to the echo, called "server"; this process's session is called "client"."""
    links = Links({echo: "server"})
    links.start()
    links.know({os.getsid(0): "client"})
    yield links
    links.close()


def opened(links: Links) -> socket.socket:
    (port,) = links.ports
    one = socket.create_connection((OUTER, port), 5)
    one.settimeout(QUIET_SECONDS)
    return one


def echoed(one: socket.socket, data: bytes) -> bytes:
    one.sendall(data)
    return received(one, len(data))


def received(one: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        found += one.recv(length - len(found))
    return found


def refused(links: Links) -> bool:
    """Whether a new connection is reset, at whichever step."""
    try:
        with opened(links) as one:
            one.settimeout(5)
            return not echoed(one, b"x")
    except ConnectionError:
        return True


def test_what_is_sent_arrives(links: Links) -> None:
    with opened(links) as one:
        one.settimeout(5)
        data = bytes(range(256)) * 8_000
        sender = threading.Thread(target=one.sendall, args=(data,))
        sender.start()
        assert received(one, len(data)) == data
        sender.join()


@pytest.mark.parametrize("way", [("client", "server"), ("server", "client")])
def test_what_one_side_sends_is_held_until_the_rule_is_gone(links: Links, way: tuple[str, str]) -> None:
    with opened(links) as one:
        assert echoed(one, b"before") == b"before"
        links.set([way[0]], [way[1]], HOLD)
        one.sendall(b"held")
        with pytest.raises(TimeoutError):
            one.recv(10)
        links.mend()
        one.settimeout(5)
        assert received(one, 4) == b"held"


def test_others_pass_while_one_is_held(links: Links) -> None:
    links.part(["client"], ["server"])
    told = "import socket,sys; s=socket.create_connection((sys.argv[1], int(sys.argv[2])), 30); s.send(b'x'); s.recv(1)"
    (port,) = links.ports
    stranger = subprocess.run(
        [sys.executable, "-c", told, OUTER, str(port)], start_new_session=True, timeout=40, check=False
    )
    assert stranger.returncode == 0
    with opened(links) as one, pytest.raises(TimeoutError):
        echoed(one, b"x")


def test_a_broken_link_resets_connections_and_refuses_new_ones(links: Links) -> None:
    with opened(links) as one:
        assert echoed(one, b"x") == b"x"
        links.part(["client"], ["server"], BREAK)
        one.settimeout(5)
        with pytest.raises(ConnectionResetError):
            one.recv(1)
    assert refused(links)
    links.clear(["server"], ["client"])
    with opened(links) as again:
        again.settimeout(5)
        assert echoed(again, b"x") == b"x"


def test_a_slow_link_delays(links: Links) -> None:
    with opened(links) as one:
        assert echoed(one, b"x") == b"x"
        links.set(["client"], ["server"], DELAY, 2 * QUIET_SECONDS)
        one.sendall(b"y")
        with pytest.raises(TimeoutError):
            one.recv(1)
        one.settimeout(5)
        assert one.recv(1) == b"y"


def test_a_port_nobody_listens_on_is_refused(links: Links) -> None:
    with socket.create_server(("127.0.0.1", 0)) as dead:
        port = dead.getsockname()[1]
    other = Links({port: "nobody"})
    other.start()
    try:
        with socket.create_connection((OUTER, port), 5) as one:
            one.settimeout(5)
            with pytest.raises(ConnectionResetError):
                one.recv(1)
    finally:
        other.close()
