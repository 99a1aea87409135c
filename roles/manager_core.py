"""The core of a manager: the replicated log and the gRPC face, in a process of their own that nothing patches.

Started by the front door as `python -m roles.manager_core`, with the handover every child gets. Knows how the bricks of
the control plane go together and how the process ends. It never forks, and says one line when it must not start.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from time import monotonic
from typing import Final, NoReturn

from app.adapters.cluster import command_codec, machine, tls
from app.adapters.cluster.channels import QUIET
from app.adapters.cluster.machine import ControlMachine
from app.adapters.cluster.raft import RaftError, RaftNode
from app.adapters.cluster.raft_log import RaftLog
from app.core.errors import StoreError
from app.core.limits import LOG_FLUSH_SECONDS
from app.faces.grpc.control import ControlService, Desk
from app.faces.grpc.server import listening
from app.ports.consensus import ReplicatedLog
from app.runtime import lineage
from app.runtime.telemetry.log import Log
from app.services.control.authority import Authority, Entries
from app.services.control.heartbeats import Heartbeats
from app.services.control.silence import Silence
from roles import handover, manager_seat
from roles.data_dir import Refusal
from roles.handover import Handover
from roles.running import new_id, now_ms

ENTRIES: Final = Entries(command_codec.encode, command_codec.decode, machine.result)
_STOP_SECONDS: Final = 1.0  # streams are resumed elsewhere; only calls in flight are waited for
_STEP_SECONDS: Final = 1.0


class Core:
    """One manager's control plane between the opening of its log and its end."""

    def __init__(self, told: Handover, log: Log) -> None:
        """Raises Refusal when this manager must not start."""
        self.told = told
        self.log = log
        self.seat = manager_seat.of(told.settings)
        self.machine = ControlMachine(self._halt)
        self.raft: ReplicatedLog = self._opened()
        self.heartbeats = Heartbeats(now_ms, monotonic)
        self.authority = Authority(self.raft, self.machine, ENTRIES, new_id)
        self._silence = Silence(
            self.heartbeats,
            lambda: self.machine.state().placement,
            self.authority.submit,
            new_id,
            told.settings.out_after_s,
        )
        self._ending = threading.Event()

    def _opened(self) -> ReplicatedLog:
        config = manager_seat.raft_config(self.told.settings, self.seat)
        try:
            return RaftLog(RaftNode(config, self.machine, os.urandom))
        except RaftError as error:
            raise Refusal(f"manager {self.seat.node_id}: {error}") from error

    async def serve(self) -> int:
        """Until SIGTERM: 0."""
        settings = self.told.settings
        desk = Desk(self.seat.node_id, self.authority, self.heartbeats, self.machine)
        service = ControlService(desk)
        self.machine.watch(service.changed)
        own = tls.identity(settings.cluster_secret, settings.node_id)
        try:
            server, _ = await listening(service, str(settings.grpc_bind), tls.server_credentials(own))
        except RuntimeError as error:
            raise Refusal(f"control address {settings.grpc_bind} cannot be used") from error
        self.log.write("info", "manager core started", role=self.told.role, pid=os.getpid())
        self._every(_STEP_SECONDS, "silence", self._look_for_silence)
        self._every(_STEP_SECONDS, "seat", manager_seat.Taking(self.told, self.seat, self.authority, self._say).step)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGQUIT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await stop.wait()
        self._ending.set()
        await server.stop(_STOP_SECONDS)
        service.close()
        return 0

    def close(self) -> None:
        """What was acknowledged is durable."""
        self._ending.set()
        self.raft.close()

    def _say(self, line: str) -> None:
        self.log.write("info", "control state", made=line)

    def _look_for_silence(self) -> None:
        for line in self._silence.step(self.authority.leads(self.seat.node_id)):
            self.log.write("warning", "silent node", reason=line)

    def _every(self, seconds: float, name: str, step: Callable[[], object]) -> None:
        """A thread that ends with the process; a step that fails is told and tried again at its next turn."""

        def run() -> None:
            while not self._ending.wait(seconds):
                try:
                    step()
                except StoreError as error:
                    self.log.write("info", "task waits", task=name, reason=str(error))
                except Exception as error:  # noqa: BLE001 -- background work: its next turn must still come
                    self.log.failure("task failed", error, task=name)

        threading.Thread(target=run, name=name, daemon=True).start()

    def _halt(self, reason: str) -> NoReturn:
        self.log.write("error", "manager core halted", reason=reason)
        self.log.flush()
        os._exit(1)


def main(told: Handover) -> int:
    """Serve until told to stop; 1 with one line when something stands in the way."""
    lineage.die_with(told.parent)
    os.environ.setdefault(*QUIET)
    for number in (signal.SIGINT, signal.SIGHUP):  # the terminal's reach the whole group; the front door acts on them
        signal.signal(number, signal.SIG_IGN)
    log = Log(told.settings.log_level, now_ms)
    threading.Thread(target=_flushing, args=(log,), daemon=True).start()
    try:
        core = Core(told, log)
        try:
            return asyncio.run(core.serve())
        finally:
            core.close()
    except Refusal as refusal:
        log.flush()
        sys.stderr.write(f"zapfs: {refusal}\n")
        return 1
    finally:
        log.flush()


def _flushing(log: Log) -> None:
    pause = threading.Event()
    while not pause.wait(LOG_FLUSH_SECONDS):
        log.flush()


if __name__ == "__main__":
    sys.exit(main(handover.read()))
