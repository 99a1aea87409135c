"""Following the control state of a cluster: snapshot, then commands, over one Watch after another.

Knows versions and that they have no gaps. Must not know what a state is for. The thread it runs in is a greenlet where
gevent has patched the process.
"""

import threading
from collections.abc import Callable
from typing import Any, Final

import grpc

from app.adapters.cluster import command_codec, snapshot
from app.adapters.cluster.calls import Managers
from app.adapters.cluster.channels import Channels, told
from app.core.cluster import ClusterState, apply
from app.core.cluster.restore_transitions import occupied
from app.core.cluster_limits import (
    CONTROL_RETRY_SECONDS_MAX,
    CONTROL_RETRY_SECONDS_MIN,
    CONTROL_SILENT_SECONDS_MAX,
    CONTROL_STATE_BYTES_MAX,
    CONTROL_STREAM_SECONDS,
    CONTROL_TRY_SECONDS_MAX,
    HEARTBEAT_SECONDS_MAX,
)
from app.core.errors import Corrupt, StoreError, Unavailable
from app.proto import control_pb2 as pb
from app.proto.service import READ_BARRIER, WATCH

OnState = Callable[[ClusterState], object]
Told = Callable[[str], object]
_NOBODY: Final = ClusterState()


class Following:
    """Holds the newest state known and calls `on_state` with each; `on_trouble` with a line when a Watch ended."""

    def __init__(self, managers: Managers, channels: Channels, monotonic: Callable[[], float]) -> None:
        self._managers = managers
        self._channels = channels
        self._monotonic = monotonic
        self._state = _NOBODY
        self._news = threading.Condition()
        self._known = False
        self._led = False
        self._heard_s = 0.0  # when this state was confirmed last, or followed on
        self._confirmed_s = monotonic()  # when a manager that hears the leader said last that this is the newest
        self._whole = False  # the next Watch is to begin with everything
        self._floor = 0  # the whole state that is asked for has this version at least
        self._ahead = False  # of a led manager: it may come to this version by other commands
        self._codec = snapshot.Codec()
        self._pieces: list[bytes] = []
        self._stream: Any = None
        self._on_state: OnState = lambda _: None
        self._on_trouble: Told = lambda _: None

    def begin(self, state: ClusterState | None, on_state: OnState, on_trouble: Told) -> None:
        """Follow from a state that was kept, if there is one."""
        if state is not None:
            self._state, self._known = state, True
            self._managers.bind(bool(occupied(state)))
            self._managers.know(state.managers.values())
        self._on_state, self._on_trouble = on_state, on_trouble
        threading.Thread(target=self._run, name="follow", daemon=True).start()

    @property
    def state(self) -> ClusterState:
        """The newest state known here."""
        return self._state

    @property
    def current(self) -> bool:
        """Whether a manager that hears the leader has confirmed this state, and still says so: within the time in which
        others would notice if this process stood still."""
        return self._led and self._monotonic() - self._heard_s <= HEARTBEAT_SECONDS_MAX

    @property
    def unconfirmed_s(self) -> float:
        """Seconds since a manager that hears the leader confirmed this state; 0 while one does."""
        return 0.0 if self.current else self._monotonic() - self._confirmed_s

    def wait_for(self, version: int, seconds: float) -> bool:
        """Whether the state has that version in time; 0: whether there is one at all."""
        with self._news:
            return self._news.wait_for(lambda: self._known and self._state.version >= version, seconds)

    def close(self) -> None:
        """After the managers': end what is being read."""
        if self._stream is not None:
            self._stream.cancel()

    # --- within

    def _run(self) -> None:
        pause = CONTROL_RETRY_SECONDS_MIN
        said: dict[str, str] = {}  # by address: with several away each would be said again after the other
        while True:
            for address in self._managers.addresses:
                before = self._state.version, self._led
                try:
                    self._follow(address)
                except grpc.RpcError as error:
                    reason = told(address, error)
                except StoreError as error:
                    reason = f"{address}: {error}"
                except Exception as error:  # noqa: BLE001 -- a follower that ended would go unnoticed for days
                    reason = f"{address}: {error!r}"
                else:
                    reason = f"{address}: moved on"
                if self._led:
                    said.clear()
                self._led = False
                if self._managers.wait(0):
                    return
                if reason != said.get(address):
                    said[address] = reason
                    self._on_trouble(reason)
                if before != (self._state.version, self._led):
                    pause = CONTROL_RETRY_SECONDS_MIN
            if self._managers.wait(pause):
                return
            pause = min(2 * pause, CONTROL_RETRY_SECONDS_MAX)

    def _follow(self, address: str) -> None:
        """One Watch to its end. Returns when this manager has nothing new to tell for long."""
        since = 0 if self._whole or not self._known else self._state.version
        # What is known here is given up for the whole state of a manager that has all the others acknowledged, never
        # for that of one which is a moment behind: nobody would see a right come back that was taken away.
        self._floor = self._acknowledged() if self._known and not since else 0
        request = pb.WatchRequest(header=self._managers.header(), version=since)
        self._pieces.clear()
        try:
            self._stream = self._channels.stream(address, WATCH, request, CONTROL_STREAM_SECONDS)
        except ValueError as error:  # the channels are closed
            raise Unavailable(str(error)) from error
        good = self._monotonic()
        try:
            for event in self._stream:
                self._managers.accept(event.header)
                if self._heard(event):
                    good = self._monotonic()
                elif self._monotonic() - good > CONTROL_SILENT_SECONDS_MAX:
                    return
        finally:
            self._stream.cancel()

    def _heard(self, event: pb.WatchEvent) -> bool:
        """Take an event; whether it came from a manager that is not cut off or behind."""
        kind = event.WhichOneof("event")
        if kind == "piece":
            self._take_piece(event.piece)
        elif kind == "delta":
            self._take_delta(event.delta)
        elif kind == "pulse":
            self._led = event.pulse.led and event.pulse.version >= self._state.version
            self._ahead |= event.pulse.led and event.pulse.version < self._state.version
            self._heard_s = self._monotonic()
            if self._led:
                self._confirmed_s = self._heard_s
            if event.pulse.version == self._state.version == 0:
                self._take(self._state)
            return self._led
        return True

    def _take_piece(self, piece: pb.Piece) -> None:
        self._pieces.append(piece.document)
        if sum(map(len, self._pieces)) > CONTROL_STATE_BYTES_MAX:
            raise Corrupt(f"a control state of more than {CONTROL_STATE_BYTES_MAX} bytes")
        if piece.last:
            document = b"".join(self._pieces)
            self._pieces.clear()
            state = self._codec.decode(document)
            if state.version < self._floor:
                raise Corrupt(f"a whole state of version {state.version}, where {self._floor} is acknowledged")
            self._take(state)

    def _acknowledged(self) -> int:
        """The version the managers have acknowledged. Raises Unavailable without a quorum of them."""
        reply = self._managers.call(READ_BARRIER, pb.BarrierRequest(), CONTROL_TRY_SECONDS_MAX)
        return int(reply.version)

    def _take_delta(self, delta: pb.Delta) -> None:
        if delta.version != self._state.version + 1:
            raise Corrupt(f"version {delta.version} came after {self._state.version}")
        self._whole = True  # until it is known that the delta can be read, and follows from what is held here
        if self._ahead:
            raise Corrupt("the managers knew less than is kept here, as after a restore: everything is asked for anew")
        state, _ = apply(self._state, command_codec.decode(delta.command))
        if state.version != delta.version:
            raise Corrupt(f"version {delta.version} does not follow from version {self._state.version} as kept here")
        self._take(state)

    def _take(self, state: ClusterState) -> None:
        with self._news:
            self._state, self._known, self._whole, self._ahead = state, True, False, False
            self._heard_s = self._monotonic()
            self._news.notify_all()
        if state.managers:
            self._managers.know(state.managers.values())
        self._managers.bind(bool(occupied(state)))
        self._on_state(state)
