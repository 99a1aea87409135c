"""Every link between members, in a process of its own that can hold, delay or break each: `python -m ... < orders`.

Knows TCP connections and who opened them. A member binds 127.0.0.1 and is advertised at 127.0.1.1 with the same ports,
where this process listens and passes everything on. Who opened a connection is found in /proc: the socket's inode, the
process that has it, and that process's session, which is one member's. No privilege is needed for any of that.

Orders are lines of JSON on the standard input, each answered by one line: {"members": {session: name}} says which
session is whose, {"rules": [[source, target, action, seconds]]} replaces all rules. Actions: "hold" keeps what source
sends to target until the rule is gone, as a network that drops packets does (a connection can still be opened, and
stays silent); "delay" keeps each piece for so many seconds; "break" resets connections and refuses new ones.
"""

import asyncio
import json
import os
import socket
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

INNER: Final = "127.0.0.1"
OUTER: Final = "127.0.1.1"
_PIECE_BYTES: Final = 256 * 1024
_RESET: Final = struct.pack("ii", 1, 0)
_NOBODY: Final = -1  # no session: 0 is one, of processes whose session began outside of this pid namespace
Rule = tuple[str, float]


@dataclass(slots=True)
class Board:
    """The rules now, and everything that waits for them to change."""

    members: dict[int, str] = field(default_factory=dict)
    rules: dict[tuple[str, str], Rule] = field(default_factory=dict)
    links: "set[Link]" = field(default_factory=set)
    opened: "Openers" = field(default_factory=lambda: Openers())
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def order(self, line: str) -> None:
        """Take one order."""
        order = json.loads(line)
        if "members" in order:
            self.members = {int(session): name for session, name in order["members"].items()}
        if "rules" in order:
            self.rules = {(source, target): (action, seconds) for source, target, action, seconds in order["rules"]}
        self.changed.set()
        self.changed = asyncio.Event()
        for link in list(self.links):
            if self.broken(link):
                link.close()

    def rule(self, link: "Link", *, back: bool = False) -> Rule | None:
        """What holds for the bytes of a connection; `back`: for the answers. Whose it is, is looked for when a rule
        speaks of its target: that costs a look at every process."""
        if not any(link.target in pair for pair in self.rules):
            return None
        if link.session is None:
            link.session = self.opened.session(link.ports, self.members)
        source = self.members.get(link.session, "")
        return self.rules.get((link.target, source) if back else (source, link.target))

    def broken(self, link: "Link") -> bool:
        """Whether a rule breaks this connection."""
        found = (self.rule(link, back=back) for back in (False, True))
        return any(rule is not None and rule[0] == "break" for rule in found)

    async def passing(self, link: "Link", *, back: bool) -> None:
        """Return when a piece may go on."""
        delayed = False
        while (rule := self.rule(link, back=back)) is not None:
            action, seconds = rule
            if action == "delay":
                if not delayed:
                    await asyncio.sleep(seconds)
                delayed = True
                if self.rule(link, back=back) == rule:
                    return
            else:
                await self.changed.wait()


@dataclass(slots=True, eq=False)
class Link:
    """One connection: the opener's socket and ours to the target. `ports`: the opener's, and the one listened on.
    `session`: the opener's, None while nobody had to know it."""

    ports: tuple[int, int]
    target: str
    near: socket.socket
    far: socket.socket
    session: int | None = None

    def close(self) -> None:
        """Reset both ends."""
        for end in (self.near, self.far):
            reset(end)


def reset(end: socket.socket) -> None:
    """Close so that the other side sees a reset, also one that is being read from."""
    if end.fileno() >= 0:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        asyncio.get_running_loop().remove_reader(end.fileno())
        asyncio.get_running_loop().remove_writer(end.fileno())
        end.close()


async def serve(board: Board, listener: socket.socket, target: str) -> None:
    """Pass on every connection to one target's port."""
    loop, port = asyncio.get_running_loop(), listener.getsockname()[1]
    tasks = set()
    while True:
        near, peer = await loop.sock_accept(listener)
        task = asyncio.create_task(_connect(board, near, peer[1], (target, port)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def _connect(board: Board, near: socket.socket, peer_port: int, at: tuple[str, int]) -> None:
    target, port = at
    far = socket.socket()
    link = Link((peer_port, port), target, near, far)
    board.opened.forget(link.ports)  # an earlier connection's, found once more after it was over here
    board.links.add(link)
    try:
        for end in (near, far):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if board.broken(link):
            return
        await asyncio.get_running_loop().sock_connect(far, (INNER, port))
        pumps = [_pump(board, link, back=back) for back in (False, True)]
        await asyncio.gather(*pumps)
    except OSError:
        return
    finally:
        board.links.discard(link)
        board.opened.forget(link.ports)
        link.close()


async def _pump(board: Board, link: Link, *, back: bool) -> None:
    """Pieces of one direction, until its end, which is passed on."""
    loop = asyncio.get_running_loop()
    source, sink = (link.far, link.near) if back else (link.near, link.far)
    while True:
        piece = await loop.sock_recv(source, _PIECE_BYTES)
        await board.passing(link, back=back)
        if not piece:
            sink.shutdown(socket.SHUT_WR)
            return
        await loop.sock_sendall(sink, piece)


# --- who opened a connection


class Openers:
    """Who opened which connection, by (the opener's port, the port listened on)."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], int] = {}

    def session(self, ports: tuple[int, int], members: dict[int, str]) -> int:
        """The session of the process that has the opener's end; _NOBODY when that is gone or no member's."""
        if ports not in self._known:
            self._known |= _looked_up(members)
        return self._known.get(ports, _NOBODY)

    def forget(self, ports: tuple[int, int]) -> None:
        """The connection is over; its ports may be anybody's next."""
        self._known.pop(ports, None)


def _looked_up(members: dict[int, str]) -> dict[tuple[int, int], int]:
    """Every connection from a member's process to OUTER."""
    inodes = _inodes()
    found = {}
    for pid, session in _sessions(members):
        directory = f"/proc/{pid}/fd"
        try:
            for fd in os.listdir(directory):
                ports = inodes.get(os.readlink(f"{directory}/{fd}"))
                if ports is not None:
                    found[ports] = session
        except OSError:
            continue  # it has just ended, or closed that
    return found


def _inodes() -> dict[str, tuple[int, int]]:
    """What /proc calls a socket -> its ports, of connections to OUTER."""
    outer = f"{int.from_bytes(socket.inet_aton(OUTER), sys.byteorder):08X}"
    found = {}
    for name in ("tcp", "tcp6"):  # a socket of the newer family may well speak to an address of the older
        with open(f"/proc/net/{name}") as table:
            for line in table:
                fields = line.split()
                if fields[2][:-5].endswith(outer):
                    found[f"socket:[{fields[9]}]"] = (int(fields[1][-4:], 16), int(fields[2][-4:], 16))
    return found


def _sessions(members: dict[int, str]) -> Iterable[tuple[int, int]]:
    """(process, its session) of every process, those of members first asked."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    session = int(file.read().rpartition(")")[2].split()[3])
            except (OSError, IndexError):
                continue
            if session in members or not members:
                yield int(name), session


async def main(ports: dict[str, str]) -> None:
    """Serve until the standard input ends. `ports`: port -> the member behind it."""
    board, tasks = Board(), []
    for port, target in ports.items():
        listener = socket.create_server((OUTER, int(port)), backlog=512)
        listener.setblocking(False)
        tasks.append(asyncio.create_task(serve(board, listener, target)))
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        board.order(line)
        print("done", flush=True)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
