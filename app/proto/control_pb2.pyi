from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Header(_message.Message):
    __slots__ = ("protocol", "cluster_id", "node_id")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    protocol: int
    cluster_id: str
    node_id: str
    def __init__(self, protocol: _Optional[int] = ..., cluster_id: _Optional[str] = ..., node_id: _Optional[str] = ...) -> None: ...

class DeviceReport(_message.Message):
    __slots__ = ("number", "status", "bytes_total", "bytes_free", "fragments", "errors")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    BYTES_TOTAL_FIELD_NUMBER: _ClassVar[int]
    BYTES_FREE_FIELD_NUMBER: _ClassVar[int]
    FRAGMENTS_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    number: int
    status: str
    bytes_total: int
    bytes_free: int
    fragments: int
    errors: int
    def __init__(self, number: _Optional[int] = ..., status: _Optional[str] = ..., bytes_total: _Optional[int] = ..., bytes_free: _Optional[int] = ..., fragments: _Optional[int] = ..., errors: _Optional[int] = ...) -> None: ...

class LedgerReport(_message.Message):
    __slots__ = ("full", "reduced", "critical", "lost", "unswept", "verified_ms")
    FULL_FIELD_NUMBER: _ClassVar[int]
    REDUCED_FIELD_NUMBER: _ClassVar[int]
    CRITICAL_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    UNSWEPT_FIELD_NUMBER: _ClassVar[int]
    VERIFIED_MS_FIELD_NUMBER: _ClassVar[int]
    full: int
    reduced: int
    critical: int
    lost: int
    unswept: int
    verified_ms: int
    def __init__(self, full: _Optional[int] = ..., reduced: _Optional[int] = ..., critical: _Optional[int] = ..., lost: _Optional[int] = ..., unswept: _Optional[int] = ..., verified_ms: _Optional[int] = ...) -> None: ...

class WorkReport(_message.Message):
    __slots__ = ("kind", "done", "waiting", "bytes_per_s", "errors")
    KIND_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    BYTES_PER_S_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    done: int
    waiting: int
    bytes_per_s: int
    errors: int
    def __init__(self, kind: _Optional[str] = ..., done: _Optional[int] = ..., waiting: _Optional[int] = ..., bytes_per_s: _Optional[int] = ..., errors: _Optional[int] = ...) -> None: ...

class NodeReport(_message.Message):
    __slots__ = ("node_id", "role", "sent_ms", "epoch", "address", "devices", "ledger", "work")
    class LedgerEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: LedgerReport
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[LedgerReport, _Mapping]] = ...) -> None: ...
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    SENT_MS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    LEDGER_FIELD_NUMBER: _ClassVar[int]
    WORK_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    role: str
    sent_ms: int
    epoch: int
    address: str
    devices: _containers.RepeatedCompositeFieldContainer[DeviceReport]
    ledger: _containers.MessageMap[str, LedgerReport]
    work: _containers.RepeatedCompositeFieldContainer[WorkReport]
    def __init__(self, node_id: _Optional[str] = ..., role: _Optional[str] = ..., sent_ms: _Optional[int] = ..., epoch: _Optional[int] = ..., address: _Optional[str] = ..., devices: _Optional[_Iterable[_Union[DeviceReport, _Mapping]]] = ..., ledger: _Optional[_Mapping[str, LedgerReport]] = ..., work: _Optional[_Iterable[_Union[WorkReport, _Mapping]]] = ...) -> None: ...

class NodeHealth(_message.Message):
    __slots__ = ("node_id", "up", "seen_ms", "report")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    UP_FIELD_NUMBER: _ClassVar[int]
    SEEN_MS_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    up: bool
    seen_ms: int
    report: NodeReport
    def __init__(self, node_id: _Optional[str] = ..., up: _Optional[bool] = ..., seen_ms: _Optional[int] = ..., report: _Optional[_Union[NodeReport, _Mapping]] = ...) -> None: ...

class ProposeRequest(_message.Message):
    __slots__ = ("header", "command")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    header: Header
    command: bytes
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., command: _Optional[bytes] = ...) -> None: ...

class ProposeReply(_message.Message):
    __slots__ = ("header", "version", "error", "message")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    header: Header
    version: int
    error: str
    message: str
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., version: _Optional[int] = ..., error: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("header", "version")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    header: Header
    version: int
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., version: _Optional[int] = ...) -> None: ...

class WatchEvent(_message.Message):
    __slots__ = ("header", "piece", "delta", "pulse")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    PIECE_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    PULSE_FIELD_NUMBER: _ClassVar[int]
    header: Header
    piece: Piece
    delta: Delta
    pulse: Pulse
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., piece: _Optional[_Union[Piece, _Mapping]] = ..., delta: _Optional[_Union[Delta, _Mapping]] = ..., pulse: _Optional[_Union[Pulse, _Mapping]] = ...) -> None: ...

class Piece(_message.Message):
    __slots__ = ("version", "document", "last")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    version: int
    document: bytes
    last: bool
    def __init__(self, version: _Optional[int] = ..., document: _Optional[bytes] = ..., last: _Optional[bool] = ...) -> None: ...

class Delta(_message.Message):
    __slots__ = ("version", "command")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    version: int
    command: bytes
    def __init__(self, version: _Optional[int] = ..., command: _Optional[bytes] = ...) -> None: ...

class Pulse(_message.Message):
    __slots__ = ("version", "led")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LED_FIELD_NUMBER: _ClassVar[int]
    version: int
    led: bool
    def __init__(self, version: _Optional[int] = ..., led: _Optional[bool] = ...) -> None: ...

class HeartbeatRequest(_message.Message):
    __slots__ = ("header", "report")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    header: Header
    report: NodeReport
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., report: _Optional[_Union[NodeReport, _Mapping]] = ...) -> None: ...

class HeartbeatReply(_message.Message):
    __slots__ = ("header", "nodes")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    header: Header
    nodes: _containers.RepeatedCompositeFieldContainer[NodeHealth]
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., nodes: _Optional[_Iterable[_Union[NodeHealth, _Mapping]]] = ...) -> None: ...

class BarrierRequest(_message.Message):
    __slots__ = ("header",)
    HEADER_FIELD_NUMBER: _ClassVar[int]
    header: Header
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ...) -> None: ...

class BarrierReply(_message.Message):
    __slots__ = ("header", "version")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    header: Header
    version: int
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., version: _Optional[int] = ...) -> None: ...

class StatusRequest(_message.Message):
    __slots__ = ("header",)
    HEADER_FIELD_NUMBER: _ClassVar[int]
    header: Header
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ...) -> None: ...

class Member(_message.Message):
    __slots__ = ("node_id", "grpc_address", "raft_address")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    GRPC_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    RAFT_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    grpc_address: str
    raft_address: str
    def __init__(self, node_id: _Optional[str] = ..., grpc_address: _Optional[str] = ..., raft_address: _Optional[str] = ...) -> None: ...

class StatusReply(_message.Message):
    __slots__ = ("header", "leader", "version", "term", "behind", "members")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    LEADER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    BEHIND_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    header: Header
    leader: str
    version: int
    term: int
    behind: int
    members: _containers.RepeatedCompositeFieldContainer[Member]
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., leader: _Optional[str] = ..., version: _Optional[int] = ..., term: _Optional[int] = ..., behind: _Optional[int] = ..., members: _Optional[_Iterable[_Union[Member, _Mapping]]] = ...) -> None: ...

class ChangeRequest(_message.Message):
    __slots__ = ("header", "add", "remove")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ADD_FIELD_NUMBER: _ClassVar[int]
    REMOVE_FIELD_NUMBER: _ClassVar[int]
    header: Header
    add: Member
    remove: str
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., add: _Optional[_Union[Member, _Mapping]] = ..., remove: _Optional[str] = ...) -> None: ...
