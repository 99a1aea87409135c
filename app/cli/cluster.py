"""`zapfs cluster`: managers, file hosts, gateways and a database on this machine, started, watched and stopped as one.

Knows the order of starting and stopping and what is said meanwhile. Must not know how a member is told what it is
(cluster_plan.py) or how its processes are made (cluster_processes.py). A member that ends is said and left to the
operator, as a supervisor of real machines would find it; what the others make of it is what a cluster is for.
"""

import argparse
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from app.cli import cluster_database, cluster_processes
from app.cli.admin_client import AdminClient, Identity, Refused
from app.cli.cluster_plan import FILE_HOST, GATEWAY, MANAGER, Member, Plan, Shape, Wishes, claim, database_port, planned
from app.cli.cluster_processes import Process
from app.cli.command import complain, say
from app.runtime import lineage
from roles.data_dir import Refusal

READY_SECONDS_MAX: Final = 120.0
_STOP_SECONDS_MAX: Final = 40.0
_STEP_SECONDS: Final = 0.1


class Cluster:
    """The processes of a plan. For one thread."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.members = {member.node_id: member for member in plan.members}
        self.processes = {name: cluster_processes.of_member(one, plan.logs) for name, one in self.members.items()}
        self.database: Process | None = None

    def start(self, pause: Callable[[], None], at_birth: Callable[[], None] | None = None) -> None:
        """Start all, and return when all are ready and every device is in the layout. `pause` is called while waiting,
        and may raise. Raises Refusal when something ended instead, or took too long."""
        self._start_database(pause, at_birth)
        first, *others = self.plan.of_kind(MANAGER)
        # Those that have a log vote: the first is nothing without them.
        voting = [member for member in others if Path(member.settings["raft_dir"]).is_dir()]
        joining = [member for member in others if member not in voting]
        for member in (first, *voting, *self.plan.of_kind(FILE_HOST), *self.plan.of_kind(GATEWAY)):
            self.processes[member.node_id].start(at_birth)
        self.wait_ready([first], pause)  # the others join it
        for member in joining:
            self.processes[member.node_id].start(at_birth)
        self.wait_ready([*others, *self.plan.of_kind(FILE_HOST)], pause)
        self._until(self._devices_added, "the devices are not in the layout", pause)
        self.wait_ready(self.plan.of_kind(GATEWAY), pause)

    def wait_ready(self, members: Iterable[Member], pause: Callable[[], None]) -> None:
        """Return when these say that they are ready. Raises Refusal."""
        for member in members:
            self._until(partial(cluster_processes.ready, member.ready_at), f"{member.node_id} is not ready", pause)

    def admin(self, member: Member | None = None) -> AdminClient:
        """Root's client of a manager, the first by default."""
        host, port = (member or self.plan.of_kind(MANAGER)[0]).bind("admin_bind")
        root = Identity(self.plan.access_key, self.plan.secret_key)
        return AdminClient(f"http://{host}:{port}", root, "us-east-1")

    def ended(self) -> list[Process]:
        """What was started and ended by itself."""
        return [process for process in self._all() if process.ended() is not None]

    def stop(self, hurried: Callable[[], bool] = lambda: False) -> list[str]:
        """End in order: gateways drain, then file hosts, managers and the database. Returns who had to be killed."""
        database = [self.database] if self.database else []
        killed = []
        for group in (self._named(GATEWAY), self._named(FILE_HOST), self._named(MANAGER), database):
            living = [process for process in group if process.alive()]
            for process in living:
                process.signal(signal.SIGTERM)
            deadline = time.monotonic() + _STOP_SECONDS_MAX
            for process in living:
                while not process.wait(_STEP_SECONDS) and time.monotonic() < deadline and not hurried():
                    pass
                if process.alive():
                    process.signal(signal.SIGKILL)
                    process.wait(_STOP_SECONDS_MAX)
                    killed.append(process.name)
        return killed

    # --- within

    def _all(self) -> list[Process]:
        return [*self.processes.values(), *([self.database] if self.database else [])]

    def _named(self, kind: str) -> list[Process]:
        return [self.processes[member.node_id] for member in self.plan.of_kind(kind)]

    def _start_database(self, pause: Callable[[], None], at_birth: Callable[[], None] | None) -> None:
        plan = self.plan
        if not plan.wishes.database:
            return
        port, password = database_port(plan), str(plan.kept["database_password"])
        command = cluster_database.command(plan.root / "mariadb", port, password)
        self.database = Process("mariadb", command, plan.logs / "mariadb.log")
        self.database.start(at_birth)
        self._until(lambda: _listens(port), "mariadb is not ready", pause)
        gateway = self.plan.of_kind(GATEWAY)[0]
        self._until(partial(cluster_processes.migrated, gateway, plan.logs), "the database is not migrated", pause)

    def _devices_added(self) -> bool:
        """Ask a manager to put what waits into the layout; whether all devices are there."""
        expected = self.plan.shape.hosts * self.plan.shape.devices
        with suppress(Refused):
            client = self.admin()
            states = [device["state"] for device in client.ask("GET", "/v1/cluster/devices")["devices"]]
            if len(states) < expected:
                return False
            if "waiting" in states:
                client.ask("POST", "/v1/cluster/add", {"waiting": True})
            return "waiting" not in states
        return False

    def _until(self, done: Callable[[], bool], trouble: str, pause: Callable[[], None]) -> None:
        deadline = time.monotonic() + READY_SECONDS_MAX
        while not done():
            for process in self.ended():
                raise Refusal(f"{process.name} ended with code {process.ended()}: {process.last_line()}")
            if time.monotonic() > deadline:
                raise Refusal(f"{trouble} after {READY_SECONDS_MAX:.0f} seconds")
            pause()


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False


# --- the command


class _Stopped(Exception):
    """Somebody asked for the end before everything was ready."""


class _Stops:
    """How often the operator asked to stop."""

    def __init__(self) -> None:
        self.count = 0
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._asked)

    def _asked(self, *_: object) -> None:
        self.count += 1

    def pause(self) -> None:
        """A short wait; raises _Stopped when the end was asked for."""
        if self.count:
            raise _Stopped
        time.sleep(_STEP_SECONDS)


def run(given: argparse.Namespace) -> int:
    """Run the cluster until told to stop. 0 after all was drained; 1 with a line when it could not be."""
    os.umask(0o077)
    database = cluster_database.present() and not given.sqlite
    gateways = given.gateways or (Shape().gateways if database else 1)
    shape = Shape(given.managers, gateways, given.hosts, given.devices, given.workers)
    if min(given.managers, gateways, given.hosts, given.devices, given.workers) < 1:
        complain("there must be at least one of each")
        return 2
    begun = time.monotonic()
    try:
        lock = claim(given.dir.absolute())
        plan = planned(given.dir.absolute(), shape, Wishes(database, usual_ports=not given.any_ports))
    except (Refusal, OSError) as error:
        complain(str(error))
        return 1
    stops, cluster = _Stops(), Cluster(plan)
    launcher = os.getpid()
    try:
        if not database:
            say("No database server: metadata is in SQLite, so there is one gateway.")
        cluster.start(stops.pause, lambda: lineage.die_with(launcher))
        _announce(plan, time.monotonic() - begun)
        _watch(cluster, stops)
    except _Stopped:
        pass
    except (Refusal, OSError) as error:
        complain(str(error))
        return 1
    finally:
        say("Stopping: gateways, file hosts, managers, database.")
        asked = stops.count
        for name in cluster.stop(lambda: stops.count > max(1, asked)):
            complain(f"{name} did not end in time and was killed")
        os.close(lock)
    return 0


def _watch(cluster: Cluster, stops: _Stops) -> None:
    """Say whose end it is when one ends; return when nobody is left. Raises _Stopped."""
    said: set[str] = set()
    while len(said) < len(cluster.processes):
        for process in cluster.ended():
            if process.name not in said:
                said.add(process.name)
                complain(f"{process.name} ended with code {process.ended()}: {process.last_line()}")
                complain(f"  it is not started again by itself: {_again(process)}")
        stops.pause()


def _again(process: Process) -> str:
    zapfs = str(Path(sys.executable).with_name("zapfs"))
    return " ".join([zapfs, *process.command[3:]] if process.command[0] == sys.executable else process.command)


def _announce(plan: Plan, seconds: float) -> None:
    say(f"The cluster in {plan.root} is ready after {seconds:.1f} s.")
    for member in plan.of_kind(GATEWAY):
        say(f"  S3          http://{member.settings['s3_bind']}   {member.node_id}")
    for member in plan.of_kind(MANAGER):
        say(f"  admin       http://{member.settings['admin_bind']}   {member.node_id}")
    for member in plan.of_kind(FILE_HOST):
        say(f"  file host   http://{member.settings['blob_bind']}   {member.node_id}, {plan.shape.devices} devices")
    say(f"  logs        {plan.logs}")
    say(f"  credentials access_key and secret_key in {plan.root / 'cluster.json'}; in a shell:")
    read = "import json,sys; k=json.load(open(sys.argv[1])); print(k['access_key'], k['secret_key'])"
    say(f'    read -r AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY < <(python3 -c "{read}" {plan.root / "cluster.json"})')
    say("    export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_DEFAULT_REGION=us-east-1")
    say("    export ZAPFS_ACCESS_KEY=$AWS_ACCESS_KEY_ID ZAPFS_SECRET_KEY=$AWS_SECRET_ACCESS_KEY")
    say("Try:")
    say(f"  aws --endpoint-url=http://{plan.of_kind(GATEWAY)[0].settings['s3_bind']} s3 mb s3://first")
    say(f"  zapfs admin cluster status --endpoint http://{plan.of_kind(MANAGER)[0].settings['admin_bind']}")
    say("Ctrl-C stops all in order.")
