"""The control plane as every node but its managers has it: followed over gRPC, changed by proposals.

Knows the Control service as a client. Must not know where the state goes from here (mirror.py). For gevent and plain
processes alike; nothing is opened before `start`, which must come after the last fork.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from app.adapters.cluster import command_codec, tls
from app.adapters.cluster.calls import Managers, Whoami
from app.adapters.cluster.channels import Channels
from app.adapters.cluster.following import Following, OnState, Told
from app.core.cluster import ClusterState, Command, Outcome
from app.core.cluster_limits import CONTROL_CALL_SECONDS_MAX, CONTROL_COMMAND_BYTES_MAX, CONTROL_TRY_SECONDS_MAX
from app.core.errors import Unavailable
from app.core.layout.reports import NodeHealth, NodeReport
from app.ports.cluster import ManagerSeat, ManagersStatus
from app.proto import control_pb2 as pb
from app.proto import service
from app.proto.reports import health_values, report_message


@dataclass(frozen=True, slots=True)
class Door:
    """How the managers are reached. `addresses`: HOST:PORT of some of them. `cluster_id`: "" when not known yet."""

    addresses: Iterable[str]
    node_id: str
    secret: bytes = field(repr=False)
    cluster_id: str = ""


class RemoteCluster:
    """See ports.cluster: Cluster, Beats and ManagerSeats. Any number of threads or greenlets may call."""

    def __init__(self, door: Door, monotonic: Callable[[], float]) -> None:
        self._channels = Channels(tls.identity(door.secret, door.node_id))
        whoami = Whoami(door.node_id, door.cluster_id)
        self._managers = Managers(door.addresses, whoami, self._channels, monotonic)
        self._following = Following(self._managers, self._channels, monotonic)
        self._health: Mapping[str, NodeHealth] = {}
        self._turn = threading.Lock()

    def start(
        self,
        on_state: OnState = lambda _: None,
        on_trouble: Told = lambda _: None,
        kept: ClusterState | None = None,
    ) -> None:
        """Follow from now on, from the state `kept` by an earlier run if there is one. `on_state` is called with every
        state, in order, by one thread; `on_trouble` with a line whenever a manager was lost."""
        self._following.begin(kept, on_state, on_trouble)

    def close(self) -> None:
        """Calls under way end with Unavailable."""
        self._managers.close()
        self._following.close()

    # --- ports.cluster.Cluster

    def state(self) -> ClusterState:
        """The newest state known here; the empty one before the first."""
        return self._following.state

    def submit(self, command: Command) -> Outcome:
        """See ports.cluster. The state known here has the change when this returns, unless following it has stopped.

        Unavailable also when nobody knows whether the command took effect: the same one may be submitted again."""
        document = command_codec.encode(command)
        if len(document) > CONTROL_COMMAND_BYTES_MAX:
            raise Unavailable(f"a command of {len(document)} bytes; {CONTROL_COMMAND_BYTES_MAX} are the most")
        reply = self._managers.call(service.PROPOSE, pb.ProposeRequest(command=document))
        self._following.wait_for(reply.version, CONTROL_TRY_SECONDS_MAX)
        return Outcome(reply.error, reply.message)

    def wait_known(self, seconds: float = CONTROL_CALL_SECONDS_MAX) -> bool:
        """Whether there is a state within the time."""
        return self._following.wait_for(0, seconds)

    def current(self) -> bool:
        """Whether a manager that hears the leader confirms, about every second, that this state is the newest."""
        return self._following.current

    def unconfirmed_s(self) -> float:
        """Seconds since a manager that hears the leader confirmed this state; 0 while one does."""
        return self._following.unconfirmed_s

    def barrier(self, seconds: float = CONTROL_CALL_SECONDS_MAX) -> None:
        """Return when `state` has everything acknowledged anywhere before the call. Raises Unavailable."""
        reply = self._managers.call(service.READ_BARRIER, pb.BarrierRequest(), seconds)
        if not self._following.wait_for(reply.version, seconds):
            raise Unavailable(f"version {reply.version} of the control state has not arrived")

    # --- ports.cluster.Beats

    def beat(self, report: NodeReport) -> None:
        """See ports.cluster."""
        self._beat(pb.HeartbeatRequest(report=report_message(report)))

    def ask_health(self) -> Mapping[str, NodeHealth]:
        """As the leader tells it now. Raises Unavailable."""
        self._beat(pb.HeartbeatRequest())
        return self._health

    def health(self) -> Mapping[str, NodeHealth]:
        """See ports.cluster."""
        return self._health

    def _beat(self, request: pb.HeartbeatRequest) -> None:
        reply = self._managers.call(service.HEARTBEAT, request, CONTROL_TRY_SECONDS_MAX)
        self._health = health_values(reply)

    # --- the managers themselves

    def managers(self) -> ManagersStatus:
        """As the first manager that answers sees it; it may be cut off. Raises Unavailable."""
        return _status(self._managers.call(service.STATUS, pb.StatusRequest()))

    def add_manager(self, seat: ManagerSeat) -> ManagersStatus:
        """Let a manager vote and be found; repeat it when cut short. Raises Unavailable, Conflict."""
        member = pb.Member(node_id=seat.node_id, grpc_address=seat.grpc_address, raft_address=seat.raft_address)
        return self._change(pb.ChangeRequest(add=member))

    def remove_manager(self, node_id: str) -> ManagersStatus:
        """Take its vote and let nobody look for it; repeat it when cut short. Raises Unavailable, Conflict."""
        return self._change(pb.ChangeRequest(remove=node_id))

    def _change(self, request: pb.ChangeRequest) -> ManagersStatus:
        with self._turn:  # one change at a time, also among callers of one process
            return _status(self._managers.call(service.CHANGE_MEMBERS, request))


def _status(reply: pb.StatusReply) -> ManagersStatus:
    seats = tuple(ManagerSeat(one.node_id, one.grpc_address, one.raft_address) for one in reply.members)
    told_by, cluster_id = reply.header.node_id, reply.header.cluster_id
    return ManagersStatus(told_by, reply.leader, reply.version, reply.term, reply.behind, seats, cluster_id)
