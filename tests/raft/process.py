"""Real nodes in processes on loopback: `python -m tests.raft.process ID DIRECTORY START PEERS` serves lines of JSON.

Each line on its standard input is [method, arguments...]; each line of its output is ["ok", result] or [error, text].
"""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.tidy.source import ROOT

SECRET = bytes(range(32))


class Member:
    """The other end: one process, asked one question at a time."""

    def __init__(self, name, directory, peers, start="bootstrap"):
        self.name, self.directory, self.peers, self.start_as = name, directory, peers, start
        self.process = None

    def start(self):
        command = [sys.executable, "-m", "tests.raft.process", self.name, str(self.directory), self.start_as]
        self.process = subprocess.Popen(
            [*command, json.dumps(self.peers)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout.readline() == "up\n"
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def ask(self, method, *arguments):
        try:
            self.process.stdin.write(json.dumps([method, *arguments]) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except OSError:
            line = ""
        return json.loads(line) if line else ["Gone", ""]

    def leads(self):
        outcome, status = self.ask("status")
        return outcome == "ok" and status["role"] == "leader" and status["has_quorum"]


def addresses(count):
    """Free ports of loopback, by member."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = {f"m{at}": f"127.0.0.1:{sock.getsockname()[1]}" for at, sock in enumerate(sockets)}
    for sock in sockets:
        sock.close()
    return found


def leader_of(members, within_s=15.0):
    """The member that leads and is confirmed."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        for member in members:
            if member.process.poll() is None and member.leads():
                return member
    raise AssertionError([member.ask("status") for member in members if member.process.poll() is None])


class _Machine:
    def __init__(self):
        self.operations = []

    def apply(self, command):
        self.operations.append(command.decode())
        return str(len(self.operations) - 1).encode()

    def snapshot(self):
        return json.dumps(self.operations).encode()

    def restore(self, state):
        self.operations = json.loads(state)


def _bench(node, count, inflight):
    """Proposals a second, and the slowest of a hundredth, ms."""
    took = []

    def work():
        for _ in range(count // inflight):
            began = time.perf_counter()
            node.propose(b"x" * 100, 10)
            took.append(time.perf_counter() - began)

    began = time.perf_counter()
    threads = [threading.Thread(target=work) for _ in range(inflight)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took.sort()
    return [round(len(took) / (time.perf_counter() - began)), round(took[int(len(took) * 0.99)] * 1e3, 2)]


def _serve(node, machine):
    methods = {
        "propose": lambda text: int(node.propose(text.encode(), 5)),
        "read": lambda: node.read_barrier(3),
        "members": lambda members: node.change_members(members, 10),
        "transfer": lambda: node.transfer_leadership(5),
        "operations": lambda: machine.operations,
        "bench": lambda count, inflight: _bench(node, count, inflight),
        "status": lambda: {
            "role": node.status().role,
            "term": node.status().term,
            "has_quorum": node.status().has_quorum,
            "why_not": node.status().why_not,
            "members": dict(node.status().members),
            "applied": node.status().applied,
        },
    }
    for line in sys.stdin:
        method, *arguments = json.loads(line)
        try:
            answer = ["ok", methods[method](*arguments)]
        except RaftError as error:
            answer = [type(error).__name__, str(error)]
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    from app.adapters.cluster.raft import RaftConfig, RaftError, RaftNode, Start

    _name, _directory, _start, _peers = sys.argv[1:]
    _peers = json.loads(_peers)
    _machine_of_this = _Machine()
    _config = RaftConfig(
        _name, _peers[_name], Path(_directory), SECRET, _peers, start=Start(_start), compact_entries=500
    )
    _node = RaftNode(_config, _machine_of_this, os.urandom)
    print("up", flush=True)
    _serve(_node, _machine_of_this)
