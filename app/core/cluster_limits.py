"""Every bound of a cluster: its layout, healing and placing, the control plane, Raft, and the data plane between nodes.

Knows numbers, their units and their reasons. Those of one machine are in limits.py.
"""

from typing import Final

from app.core.limits import CHUNK_BYTES_MAX, GIB, KIB, MIB

# --- layout (app/core/layout, app/core/cluster; docs/design/layout.md)
PLACEMENT_GROUPS_MAX: Final = 4_096  # of a cluster; a map of 1,024 groups, 6 wide, takes 0.6 s at worst, once an epoch
NODES_MAX: Final = 255  # file hosts of a cluster
DEVICES_MAX: Final = 1_020  # of a cluster, whatever their state; a map over so many takes 1 s, 4 s at worst
DEVICES_OF_NODE_MAX: Final = 64
PROFILES_MAX: Final = 255  # a blob id has a byte for the number, and 0 is none
PARITY_MAX: Final = 16  # fragments a chunk may lose; beyond it the code costs more than it saves
NODE_NAME_CHARS_MAX: Final = 255  # of node ids, addresses and zones
CAPACITY_CHANGE_PERCENT: Final = 5  # a device that grew or shrank by less keeps its weight: no bytes move for it

# --- healing (app/services/healing; docs/design/healing.md says why)
HEAL_PAGE_NAMES: Final = 512  # names asked of a device at once; what a walk over a group holds of each device
HEAL_PAGES_MAX: Final = 64  # pages of one turn; the next turn goes on behind them
HEAL_AT_ONCE: Final = 4  # blobs mended or pushed beside each other, each with a chunk's bytes in memory
HEAL_SETTLE_SECONDS: Final = 30  # a blob younger than this may still be being written: it is not judged
HEAL_DEBRIS_SECONDS: Final = 7_200  # twice ORPHAN_SECONDS_MIN: by then what was never acknowledged is collected
HEAL_SWEEP_SECONDS: Final = 600  # between two comparisons of a group where nothing is known to have changed
HEAL_EVERYWHERE_SECONDS: Final = 3_600  # between two walks for strays over groups a device is at home in
HEAL_RETRY_SECONDS: Final = 15  # between two tries of a group that could not be made whole
HEAL_PATIENCE_SECONDS: Final = 120  # what another node is about to push home is left to it for so long
HEAL_EPOCH_SETTLE_SECONDS: Final = 15  # above HEARTBEAT_SECONDS_MAX: each confirmed node knows an epoch by then
HEAL_VERIFIED_KEPT_MAX: Final = 65_536  # fragments remembered as verified under this epoch, 100 bytes each
HEAL_DAMAGED_KEPT_MAX: Final = 65_536  # blobs remembered as damaged beyond replacing, 150 bytes each
HEAL_MOVED_MAX: Final = 1_024  # groups of one GroupsMoved command
HEAL_DEVICE_ERRORS_MAX: Final = 64  # bad fragments of one scrub pass before a device counts as failing
SCRUB_DAYS_MAX: Final = 3_650  # of one pass over everything
SCRUB_PAGE_NAMES: Final = 64  # fragments verified in one step; after a kill so many are read again
SCRUB_BYTES_PER_S_MIN: Final = 1 << 20  # a device with little on it is not crept over
REDUNDANCY_CHUNKS_MAX: Final = 100_000  # of a bucket, looked at for one answer; the next goes on behind them
SUSPECTS_TAKEN_MAX: Final = 64  # suspects judged in one turn

# --- chunks over the devices of a cluster (app/services/placing; docs/design/placing.md)
PUT_SLOW_S: Final = 2.0  # a home that takes longer to store a fragment gets a handoff beside it
PUT_SECONDS_MAX: Final = 30.0  # from a put's first fragment to its quorum, before Unavailable
UNDO_SECONDS_MAX: Final = 2.0  # a refused put waits so long for what it stored to be gone again
READ_HEDGE_S: Final = 0.25  # a fragment that takes longer to come is asked of the next device besides
PLACED_BYTES_MAX: Final = 256 * MIB  # fragments on their way to devices, of one worker process
READ_AHEAD_BYTES_MAX: Final = 128 * MIB  # chunks read ahead of their readers, of one worker process
HEDGES_PER_READ: Final = 0.1  # of all reads, how many may ask another device because one is late
HEDGES_AT_ONCE_MAX: Final = 100  # of them saved up: reads under way when a device stops answering
SLOW_SECONDS: Final = 5.0  # a device that let somebody wait is passed over by others for so long
LOOK_AT_ONCE: Final = 16  # devices asked together for a blob that is not where it belongs
ROOM_SECONDS: Final = 5.0  # between two questions to the devices how much room they have
ROOM_UNKNOWN_BYTES: Final = GIB  # taken for the room until the devices were asked first
COMPRESS_BYTES_MIN: Final = 4 * KIB  # smaller chunks save no page worth having
COMPRESS_SAMPLE_BYTES: Final = 32 * KIB  # of a large chunk, tried before the whole
COMPRESS_SAVES_PERCENT_MIN: Final = 6  # less is not worth opening the whole chunk for every range of it

# --- the control plane of a cluster (docs/design/control-plane.md)
CONTROL_PROTOCOL: Final = 1  # of gRPC messages; peers of another one are refused
MANAGERS_MAX: Final = 7  # an operator runs 1, 3 or 5; a replacement in progress makes one more
CONTROL_MESSAGE_BYTES_MAX: Final = 4 * MIB  # of one message; gRPC's own default
CONTROL_COMMAND_BYTES_MAX: Final = 1 * MIB  # the largest holds the 1,024 groups of a GroupsMoved, or a policy's text
CONTROL_PIECE_BYTES: Final = 1 * MIB  # of the state's document, which is sent in pieces
CONTROL_STATE_BYTES_MAX: Final = 1 * GIB  # a follower takes no larger document for one
CONTROL_STREAMS_MAX: Final = 1_024  # calls and Watch streams open at one manager
CONTROL_CONNECTIONS_MAX: Final = 2_048  # open at one manager, strangers' too: none may use up its file descriptors
CONTROL_HELLO_SECONDS_MAX: Final = 5.0  # a stranger has to prove itself within them, or is cut off
CONTROL_COMMAND_ID_CHARS_MAX: Final = 64  # ids are remembered; ours have 32 hex digits
CONTROL_WAITING_MAX: Final = 64  # proposals and barriers waiting at one manager, each in a thread
CONTROL_DELTAS_KEPT: Final = 1_024  # newest commands a manager keeps: a follower further behind gets everything
CONTROL_CALL_SECONDS_MAX: Final = 6.0  # one call, its repetitions at other managers included
CONTROL_TRY_SECONDS_MAX: Final = 3.0  # one try of it at one manager; an election takes less
CONTROL_RETRY_SECONDS_MIN: Final = 0.1  # between two tries at the same managers, doubling
CONTROL_RETRY_SECONDS_MAX: Final = 1.0
CONTROL_PULSE_SECONDS: Final = 1.0  # between two signs of life of a silent Watch
CONTROL_SILENT_SECONDS_MAX: Final = 4.0  # a Watch without one, or not led for so long, is moved to another manager
CONTROL_STREAM_SECONDS: Final = 3_600.0  # one Watch; the next goes on behind it
CONTROL_KEEPALIVE_SECONDS: Final = 5  # between two pings of an idle connection
CONTROL_KEEPALIVE_LOST_SECONDS: Final = 2  # a ping unanswered for so long ends the connection
HEARTBEAT_SECONDS: Final = 2.0  # between two heartbeats of a node
HEARTBEAT_SECONDS_MAX: Final = 10.0  # a node silent for so long is down
CONTROL_NODES_MAX: Final = 4_096  # nodes a leader remembers the heartbeats of
CONTROL_WORKS_MAX: Final = 16  # kinds of work in one heartbeat; there are three
RELAY_CONNECTIONS_MAX: Final = 32  # commands of a node's workers under way at one time; the others wait
RELAY_SECONDS_MAX: Final = 15.0  # for one exchange: longer than the managers are asked
RELAY_SEEN_SECONDS_MAX: Final = 2.0  # a worker waits so long for its own change to be on its disk
RELAY_LOOK_SECONDS: Final = 0.01  # between two looks for it
MIRROR_SECONDS_MIN: Final = 0.1  # between two writes of the followed state to a node's disk

# --- Raft (app/adapters/cluster/raft); times measured: docs/design/raft.md
RAFT_ELECTION_MS: Final = 300  # the least silence before an election; the most is twice that
RAFT_COMPACT_ENTRIES: Final = 5_000  # entries after the snapshot that make a new one
RAFT_TRAILING_ENTRIES: Final = 1_000  # kept before the snapshot, so that a slow member needs no snapshot
RAFT_COMMAND_BYTES_MAX: Final = 4 * MIB  # one command; an IAM policy document is 6 KiB
RAFT_SNAPSHOT_BYTES_MAX: Final = 256 * MIB  # a whole state; held twice in memory while it is made
RAFT_SNAPSHOT_PIECE_BYTES: Final = 256 * KIB  # of one frame of a snapshot on its way
RAFT_BATCH_BYTES: Final = 64 * KIB  # of entries in one frame; one larger command goes alone
RAFT_FRAME_BYTES_MAX: Final = 8 * MIB  # of an authenticated member
RAFT_HELLO_BYTES_MAX: Final = 1 * KIB  # the first frame
RAFT_UNSENT_BYTES_MAX: Final = 16 * MIB  # waiting for one member that reads too slowly; then the connection is cut
RAFT_WAITING_MAX: Final = 10_000  # commands and reads that wait in one node
RAFT_MEMBERS_MAX: Final = 7
RAFT_STRANGERS_MAX: Final = 16  # authenticated connections of nodes that are not members
RAFT_INCARNATIONS_MAX: Final = 1_000  # members one remembers the directories of; beyond that it learns no more
RAFT_NODE_ID_CHARS_MAX: Final = 64

# --- the data plane of a cluster (app/faces/http/internal, app/adapters/chunks/remote; docs/design/file-host.md)
FRAGMENT_BYTES_MAX: Final = CHUNK_BYTES_MAX  # a copy is a whole chunk
FRAGMENT_NAMES_MAX: Final = 4_096  # ids of one question, names of one page
INTERNAL_SKEW_MS: Final = 300_000  # between the clocks of two nodes
HOST_BUFFER_BYTES: Final = 256 * MIB  # fragments on their way in, of one worker of a file host
DEVICE_THREADS: Final = 4  # native threads of one device in one process: what hangs, hangs its own
DEVICE_CALL_SECONDS_MAX: Final = 10.0  # one call of a device; a local disk that takes longer is down
DEVICE_STATS_SECONDS_MAX: Final = 1.0  # then what was counted last is told; a heartbeat must not wait
DEVICE_ERRORS_MAX: Final = 5  # within DEVICE_ERRORS_SECONDS, then a device is left in peace
DEVICE_ERRORS_SECONDS: Final = 30.0
DEVICE_REST_SECONDS: Final = 5.0  # a failing device is not asked for so long, then looked at
DEVICE_LOOK_SECONDS: Final = 1.0  # between two looks whether a device is still there
BLOB_CONNECTIONS_MAX: Final = 64  # to one host, of one process
BLOB_CONNECT_SECONDS_MAX: Final = 1.0  # within one network
BLOB_ANSWER_SECONDS_MAX: Final = 15.0  # to the head of an answer; longer than a call of a device
BLOB_STALL_SECONDS_MAX: Final = 5.0  # no byte taken or given by a host
BLOB_IDLE_SECONDS_MAX: Final = 30.0  # a connection kept; less than IDLE_SECONDS_MAX, at which hosts close
BLOB_REST_SECONDS: Final = 1.0  # a host that could not be reached is not asked for so long
BLOB_SLICE_BYTES: Final = 1 * MIB  # received at once
SUSPECTS_MAX: Final = 65_536  # reported and not taken yet; the oldest are forgotten
SUSPECTS_BATCH: Final = 256  # told to another node at once
SUSPECTS_TELL_SECONDS: Final = 1.0  # between two tellings
