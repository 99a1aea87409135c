"""The methods of the Control service: path and messages of each. Knows names; must not know who serves or calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.proto import control_pb2 as pb

SERVICE: Final = "zapfs.control.Control"


@dataclass(frozen=True, slots=True)
class Method:
    """`request`, `reply`: message classes; `streams`: many replies come."""

    name: str
    request: type[Any]
    reply: type[Any]
    streams: bool = False

    @property
    def path(self) -> str:
        return f"/{SERVICE}/{self.name}"


PROPOSE: Final = Method("Propose", pb.ProposeRequest, pb.ProposeReply)
WATCH: Final = Method("Watch", pb.WatchRequest, pb.WatchEvent, streams=True)
HEARTBEAT: Final = Method("Heartbeat", pb.HeartbeatRequest, pb.HeartbeatReply)
READ_BARRIER: Final = Method("ReadBarrier", pb.BarrierRequest, pb.BarrierReply)
STATUS: Final = Method("Status", pb.StatusRequest, pb.StatusReply)
CHANGE_MEMBERS: Final = Method("ChangeMembers", pb.ChangeRequest, pb.StatusReply)
METHODS: Final[Mapping[str, Method]] = {
    one.name: one for one in (PROPOSE, WATCH, HEARTBEAT, READ_BARRIER, STATUS, CHANGE_MEMBERS)
}
LEADER: Final = "zapfs-leader"
"""Trailing metadata of a refusal by a manager that does not lead: the gRPC address of the one that does."""
