"""Every bound of the product in one place: the number, its unit and where it comes from.

Knows numbers only. A bound an operator may tune is a setting (app/config.py) whose default stands here.
"""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB
TIB: Final = 1024 * GIB

# --- S3's own (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html)
KEY_BYTES_MAX: Final = 1024
OBJECT_BYTES_MAX: Final = 5 * TIB
PUT_BYTES_MAX: Final = 5 * GIB
PART_BYTES_MAX: Final = 5 * GIB
PART_BYTES_MIN: Final = 5 * MIB  # every part but the last
PART_NUMBER_MAX: Final = 10_000
LIST_KEYS_MAX: Final = 1_000  # keys, parts or uploads of one page
DELETE_KEYS_MAX: Final = 1_000  # keys of one DeleteObjects
LIST_BUCKETS_MAX: Final = 10_000
BUCKETS_PER_ACCOUNT_MAX: Final = 10_000
BUCKET_NAME_BYTES_MIN: Final = 3
BUCKET_NAME_BYTES_MAX: Final = 63
USER_METADATA_BYTES_MAX: Final = 2 * KIB  # names and values together, prefix x-amz-meta- not counted
OBJECT_TAGS_MAX: Final = 10  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
BUCKET_TAGS_MAX: Final = 50
TAG_KEY_CHARS_MAX: Final = 128
TAG_VALUE_CHARS_MAX: Final = 256
CORS_RULES_MAX: Final = 100  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html
HOST_CHARS_MAX: Final = 253  # of a name a website redirects to (RFC 1035)
ROUTING_RULES_MAX: Final = 50  # of one website configuration
NAMED_CONFIGS_MAX: Final = 1_000  # of one kind (analytics, metrics, inventory, intelligent tiering) and bucket
CONFIG_ID_CHARS_MAX: Final = 64  # the id of one of them
NAMED_CONFIGS_PAGE: Final = 100  # of one list answer
REPLICATION_RULES_MAX: Final = 1_000
POST_FIELDS_BYTES_MAX: Final = 20 * KIB  # everything of a form before its file, the policy included
POST_FIELDS_MAX: Final = 256  # of one form; 20 KiB of the shortest would be more
POST_HELD_BYTES_MAX: Final = 256 * KIB  # of a form from its file on: within it fields may follow the file
PRESIGN_SECONDS_MAX: Final = 604_800
CLOCK_SKEW_SECONDS_MAX: Final = 900

# --- documents sent by clients
XML_DELETE_BYTES_MAX: Final = 2 * MIB  # 1,000 keys of 1,024 bytes, percent-escaped
XML_COMPLETE_BYTES_MAX: Final = 4 * MIB  # 10,000 parts with checksums
XML_BYTES_MAX: Final = 64 * KIB  # every other document
XML_DEPTH_MAX: Final = 16
XML_DELETE_ELEMENTS_MAX: Final = 10_000  # 1,000 objects of at most six elements; 100,000 take 0.2 s to parse
XML_COMPLETE_ELEMENTS_MAX: Final = 150_000  # 10,000 parts of three to eight elements, some sent twice
XML_ELEMENTS_MAX: Final = 1_000  # every other document
RETENTION_DAYS_MAX: Final = 36_500  # of a default retention (S3's own bounds)
RETENTION_YEARS_MAX: Final = 100
ACL_GRANTS_MAX: Final = 100  # grants of one access control list (S3's own bound)
DOCUMENTS_PARSED_MAX: Final = 4_096  # stored texts of one kind a process keeps parsed: lists, settings, policies
POLICIES_PARSED_MAX: Final = 512  # parsed policies a process keeps; the largest take 300 KiB and 6 ms
CONFIGS_PARSED_MAX: Final = 512  # parsed bucket configurations kept per kind by one process
HELD_BODY_BYTES_MAX: Final = 256 * KIB  # an object sent without a length is held whole; S3 wants a length for more

# --- the wire (app/runtime/http1)
HEAD_BYTES_MAX: Final = 32 * KIB  # request line + headers
HEAD_FIELDS_MAX: Final = 128
TARGET_BYTES_MAX: Final = 16 * KIB  # request target: key of 1,024 bytes escaped thrice plus a presigned query
HEAD_SECONDS_MAX: Final = 20  # from the first byte of a head to its end (slowloris)
IDLE_SECONDS_MAX: Final = 75  # keep-alive without a request
BODY_STALL_SECONDS_MAX: Final = 30  # no byte of a body received, or of an answer accepted
STALL_BYTES_MIN: Final = 1 * KIB  # fewer bytes than this while one stall's time is waited count as none
DRAIN_BYTES_MAX: Final = 1 * MIB  # unread body swallowed to keep a connection alive
DRAIN_SECONDS_MAX: Final = 5
CHUNK_HEAD_BYTES_MAX: Final = 1 * KIB  # one line of chunked framing (HTTP or aws-chunked), trailers' lines too
TRAILER_BYTES_MAX: Final = 16 * KIB
PROXIES_MAX: Final = 16  # addresses of X-Forwarded-For looked at, from the end
AWS_FRAME_BYTES_MAX: Final = 64 * MIB  # one aws-chunked frame: verified incrementally, never buffered whole

# --- signatures (app/core/auth)
SIGNING_KEYS_MAX: Final = 1_024  # derived keys kept: one per secret, day, region and service
REGION_CHARS_MAX: Final = 64  # of a credential scope; the longest of AWS's are 14
TIMESTAMPS_KEPT_MAX: Final = 256  # parsed request times kept: neighbours in time share the second
AWS_FRAME_BYTES_MIN: Final = 8 * KIB  # every frame but the last (S3: InvalidChunkSizeError)
AWS_READ_AHEAD_BYTES: Final = 24 * KIB  # an aws-chunked body up to this is read whole, then cut into frames

# --- data path (design page DATA_PATH.md)
CHUNK_BYTES_MAX: Final = 8 * MIB
SLICE_BYTES: Final = 2 * MIB  # what is hashed while the next is received; with 1 MiB the handing over cost a tenth
INLINE_BYTES_MAX: Final = 16 * KIB  # objects up to this live in the metadata store
BLOCK_BYTES: Final = 64 * KIB  # unit of verification at rest
RECORD_ALIGN_BYTES: Final = 4 * KIB
SEGMENT_BYTES_MAX: Final = 256 * MIB
BUFFER_BUDGET_BYTES: Final = 256 * MIB  # upload and read buffers of one worker process
BUFFER_IDLE_BYTES_MAX: Final = 16 * MIB  # of them kept mapped while unused: two chunk buffers
BUFFER_WAIT_SECONDS_MAX: Final = 20  # waiting for the budget before SlowDown
OFFLOAD_THREADS: Final = 8  # native threads of a worker for hashing and disk
OFFLOAD_BYTES_MIN: Final = 16 * KIB  # smaller buffers are hashed inline
SEALED_CHUNK_FRAMES: Final = 112  # 7 MiB of plaintext a chunk: two chunks and what is being sealed fit two buffers
SEALED_SLICE_FRAMES: Final = 14  # frames sealed in one go: 0.2 ms in which nothing else runs
MANIFEST_PAGE_ENTRIES: Final = 1024  # chunks of one content page (8 GiB of object)
METRICS_FILE_BYTES: Final = MIB  # each of a process's two files; every operation, class and bucket takes a third
DISK_RESERVE_BYTES: Final = 256 * MIB  # below this much free space new bytes are refused
SEGMENT_STEP_BYTES: Final = 32 * MIB  # by which an open segment's space is reserved ahead
DIRECT_BYTES_MIN: Final = 1 * MIB  # payloads from this size on are written past the page cache
BATCH_BYTES_MAX: Final = 32 * MIB  # payload of one group commit of the chunk store
SEGMENT_FDS_MAX: Final = 256  # descriptors of segments a process keeps open without a reader
BLOCK_TABLES_MAX: Final = 8_192  # block tables of records kept in memory; up to 1 KiB each
INDEX_MAP_BYTES: Final = 1 * TIB  # address space of the index, not memory or disk; about 8e9 blobs
INDEX_READERS_MAX: Final = 1_024  # read transactions at one time, all processes of a device
NAMES_PAGE: Final = 1_024  # names read in one index transaction
LEASE_SECONDS_MAX: Final = 1.0  # a reader waiting for a deletion under way before Unavailable
COMPACT_SOURCES_MAX: Final = 48  # segments merged into one; their ids fit into one sector
COMPACT_BYTES_MAX: Final = 128 * MIB  # live bytes copied in one step of upkeep
COMPACT_LIVE_PERCENT: Final = 50  # sealed segments whose live share is lower are compacted
UNLINK_SEGMENTS_MAX: Final = 64  # empty segments removed in one step of upkeep
RESCAN_FINDINGS_MAX: Final = 1_000  # damaged regions a recovery reports one by one; the rest is counted

# --- metadata store and its sweeps (design page CONTROL_AND_METADATA.md)
BUCKETS_REMEMBERED_MAX: Final = 1_024  # buckets a process remembers between requests
BUCKETS_REMEMBERED_SECONDS: Final = 1.0  # at most, should the process that changed one die before it could tell
ATTRIBUTES_SHARED_MAX: Final = 256  # decoded attributes a process keeps, where their text is short
ATTRIBUTES_SHARED_CHARS_MAX: Final = 128  # a content type and little more
COMMIT_BATCH_MAX: Final = 256  # operations of one group commit
COMMIT_PARTS_INLINE_MAX: Final = 500  # completing more parts leaves the hub's thread (3 us a part)
COMMIT_QUEUE_MAX: Final = 4_096  # waiting operations of one process before Unavailable
SQL_CACHE_BYTES: Final = 32 * MIB  # page cache of one connection, filled on use
SQL_STATEMENTS_MAX: Final = 256  # prepared statements kept by one connection
SQL_BUSY_SECONDS_MAX: Final = 30  # waiting for a lock our own locks do not order (recovery after a crash)
WAL_NUDGE_COMMITS: Final = 1_024  # operations of one process between two background checkpoints
WAL_BYTES_MAX: Final = 64 * MIB  # beyond this a checkpoint holds commits back until the log starts over
WAL_READERS_SECONDS_MAX: Final = 0.05  # how long that checkpoint waits for readers before it tries again later
SQL_CONNECT_SECONDS_MAX: Final = 3  # reaching a database server
SQL_ANSWER_SECONDS_MAX: Final = 20  # one trip to it; longer than its longest wait for a lock
SQL_LOCK_SECONDS_MAX: Final = 5  # waiting for a row before the transaction is undone and tried again
SQL_POOL_SECONDS_MAX: Final = 10  # waiting for a connection before Unavailable
SQL_IDLE_SECONDS_MAX: Final = 30  # a connection unused for longer is asked whether it lives
SQL_TRIES_MAX: Final = 20  # of one transaction that others stand in the way of
SQL_RETRY_SECONDS_MAX: Final = 15  # all of them together
SQL_TRIP_CHARS_MAX: Final = 256 * KIB  # statements sent together; the server's max_allowed_packet is 16 MiB and more
SQL_PACKET_BYTES_MIN: Final = 16 * MIB  # the largest document takes half of it, written in hexadecimal digits
SQL_MIGRATION_SECONDS_MAX: Final = 86_400  # one statement of a migration; a large table is rewritten in hours
SQL_KEY_SLOTS: Final = 65_536  # rows that stand for keys in locks: two of 64 commits at once meet in one by 3 percent
SCAN_ROWS_MIN: Final = 64  # first batch of an adaptive listing scan
SCAN_ROWS_MAX: Final = 1_001
SCAN_SKIP_AFTER: Final = 8  # rows in one common prefix before seeking past it
SWEEP_ROWS: Final = 256  # rows of one background step
ATTEMPT_SECONDS_MAX: Final = 900  # an unpinned PUT older than this refuses to commit
ORPHAN_SECONDS_MIN: Final = 3_600  # an unknown blob younger than this is left alone
INTENT_SECONDS: Final = 86_400  # lifetime of a pinned attempt (one PUT or part), renewed by nobody
FINDINGS_MAX: Final = 10_000  # findings of one consistency check kept in memory; the rest is counted
SHARED_READS_SECONDS: Final = 1.0  # between two tellings of a gateway's oldest read to the others
SHARED_READS_LAG_MS: Final = 3_000  # how late such a telling may show, clocks of gateways included
SHARED_READS_DEAD_MS: Final = 3_600_000  # a gateway silent for so long reads nothing any more
READ_BOARD_LAG_MS: Final = 3_000  # how late a read under way may show on the board; published every second
BLOB_GRACE_SECONDS: Final = 300  # between losing the last reference and removal from disk

# --- encryption (app/core/s3/encryption)
ENCRYPTION_CONTEXT_BYTES_MAX: Final = 8 * KIB  # JSON of an encryption context; KMS's own bound
KMS_KEY_NAME_CHARS_MAX: Final = 2_048  # id, alias or ARN of a key; KMS's own bound

# --- processes and the control plane
WORKERS_MAX: Final = 64  # S3 worker processes of one machine
ACCOUNTS_MAX: Final = 10_000  # the whole control state is rewritten by each change of it
ACCESS_KEYS_MAX: Final = 2  # of one user or account root; IAM quotas
USERS_MAX: Final = 5_000  # of one account; IAM quotas, as all that follow here
GROUPS_MAX: Final = 300
ROLES_MAX: Final = 1_000
POLICIES_MAX: Final = 1_500  # managed policies of one account
GROUPS_OF_USER_MAX: Final = 10
ATTACHED_POLICIES_MAX: Final = 10  # managed policies attached to one user, group or role
POLICY_VERSIONS_MAX: Final = 5  # of one managed policy
BUCKET_POLICY_BYTES_MAX: Final = 20 * KIB
POLICY_BYTES_MAX: Final = 64 * KIB  # of any policy text, blanks included
POLICY_DEPTH_MAX: Final = 8  # nesting of a policy's JSON; conditions need five
POLICY_PATTERN_CHARS_MAX: Final = 2_048  # of one value with wildcards, and of what is filled into one
POLICY_PLACES_KEPT_MAX: Final = 256  # places of one character in one text; the largest take 12 KiB with their text
MANAGED_POLICY_CHARS_MAX: Final = 6_144  # without blanks, as all policy sizes
TRUST_POLICY_CHARS_MAX: Final = 2_048
USER_INLINE_CHARS_MAX: Final = 2_048  # all inline policies of one user together
GROUP_INLINE_CHARS_MAX: Final = 5_120
ROLE_INLINE_CHARS_MAX: Final = 10_240
OIDC_PROVIDERS_MAX: Final = 100  # of one account
OIDC_CLIENTS_MAX: Final = 100  # audiences of one provider
OIDC_THUMBPRINTS_MAX: Final = 5
LIMITS_MAX: Final = 10_000  # accounts and buckets with limits of their own
ENTITY_TAGS_MAX: Final = 50  # of one user or role
ROLE_SESSION_SECONDS: Final = 3_600  # longest session of a role that asks for nothing else
ROLE_SESSION_SECONDS_MAX: Final = 43_200
SESSION_SECONDS_MIN: Final = 900  # of any session (AWS's own bounds, as the next)
SESSION_SECONDS_MAX: Final = 129_600  # GetSessionToken and GetFederationToken of a user
SESSION_SECONDS: Final = 43_200  # of these, when nothing is said
SESSION_ROOT_SECONDS_MAX: Final = 3_600  # of an account's root; also of a role taken by a role's session
SESSION_POLICY_CHARS_MAX: Final = 2_048  # of an inline session policy
SESSION_POLICY_ARNS_MAX: Final = 10
SESSION_CHAIN_MAX: Final = 8  # roles taken one by the other's session
SESSION_TOKEN_CHARS_MAX: Final = 8 * KIB  # a head has 32 KiB, and a presigned URL bears it too
SESSION_DOCUMENT_BYTES_MAX: Final = 128 * KIB  # a token inflated
SESSIONS_OPEN_MAX: Final = 4_096  # opened tokens kept in the memory of one process, 2 KiB each
OIDC_TOKEN_CHARS_MAX: Final = 20_000  # of a WebIdentityToken (AWS's own bound)
OIDC_CLAIMS_MAX: Final = 64  # of a token, that policies may ask for
OIDC_DOCUMENT_BYTES_MAX: Final = 256 * KIB  # an issuer's configuration, or its keys
OIDC_SECONDS_MAX: Final = 5.0  # to connect to an issuer, for each piece and for the whole of a document
OIDC_KEYS_SECONDS: Final = 3_600.0  # an issuer's keys are believed for so long without asking again
OIDC_REFRESH_SECONDS_MIN: Final = 60.0  # between two questions for a key that was not among them
OIDC_RETRY_SECONDS: Final = 10.0  # after a failure
OIDC_KEYS_MAX: Final = 64  # of one issuer
OIDC_ASKED_AT_ONCE_MAX: Final = 16  # logins of one process that wait for an issuer's keys
OIDC_ISSUERS_KEPT_MAX: Final = 64  # whose keys a process keeps
LDAP_NAME_CHARS_MAX: Final = 1_024  # a username and its password together
LDAP_GROUPS_MAX: Final = 1_000  # of one person, asked for
LDAP_SECONDS_MAX: Final = 5.0  # to connect to the directory, and for each of its answers
LDAP_AT_ONCE_MAX: Final = 8  # logins of one process under way; further ones are told to come again
KMS_KEYS_MAX: Final = 1_000  # of the keyring
KMS_VERSIONS_MAX: Final = 100  # materials of one key, one a rotation
KMS_MATERIAL_BYTES: Final = 32  # AES-256
KMS_DELETION_DAYS_MIN: Final = 7  # grace of a scheduled deletion; KMS
KMS_DELETION_DAYS_MAX: Final = 30
CALLERS_KEPT_MAX: Final = 1_024  # callers whose policies a process keeps gathered
ADMIN_BODY_BYTES_MAX: Final = 64 * KIB  # one request to the admin face
SECRET_FILE_BYTES_MAX: Final = 64 * KIB  # of a file that holds a setting's secret
MASTER_KEYS_MAX: Final = 16  # that open at one time; two while one takes over
MASTER_KEYS_LOOK_SECONDS: Final = 1.0  # between two looks at the file they are in
RESEAL_SECRETS: Final = 200  # of one command that seals secrets anew
SECRETS_OPEN_MAX: Final = 4_096  # unsealed secrets kept in the memory of one process
CLUSTER_POLL_SECONDS: Final = 0.25  # how often a follower looks for a change of the control state
LOG_LINE_BYTES_MAX: Final = 4_000  # below PIPE_BUF (4096), so that lines of several processes never mix
LOG_BUFFER_LINES_MAX: Final = 16_384  # more waiting lines than this are dropped and counted
LOG_FLUSH_SECONDS: Final = 0.1
READY_SECONDS_MAX: Final = 60  # from starting the processes to the first answer of both
CONNECTIONS_MAX: Final = 4_096  # open connections of one worker
WORKER_SILENT_SECONDS_MAX: Final = 60  # a worker whose loop does not turn for so long is replaced
SWITCH_SECONDS: Final = 0.001  # a native thread in Python code gives the interpreter up after this
READY_CACHE_SECONDS: Final = 1.0  # strangers may ask /ready as often as they like
PROBE_SECONDS_MAX: Final = 2.0
METRICS_FLUSH_SECONDS: Final = 0.5
READ_BOARD_SECONDS: Final = 1.0  # between two publications of a process' oldest read

# --- configurations that act in the background (lifecycle, notifications, access logs, inventory)
LIFECYCLE_RULES_MAX: Final = 1_000  # rules of one bucket (S3's own bound)
LIFECYCLE_BYTES_MAX: Final = 4 * MIB  # 1,000 rules of some thirty elements
LIFECYCLE_ELEMENTS_MAX: Final = 60_000
LIFECYCLE_ID_CHARS_MAX: Final = 255
LIFECYCLE_PREFIX_CHARS_MAX: Final = 1_024
LIFECYCLE_DAYS_MAX: Final = 2_147_483_647
NEWER_NONCURRENT_MAX: Final = 100  # NewerNoncurrentVersions (S3's own bound)
TRANSITION_BYTES_MIN: Final = 128 * KIB  # smaller objects stay in their class unless a rule says a size (S3's default)
SWEEP_STEP_ROWS: Final = 500  # versions or uploads judged in one step of the lifecycle sweep
SWEEP_STEPS_MAX: Final = 200  # steps of one turn; the next turn goes on from the cursor
BUCKETS_PAGE: Final = 200  # buckets looked through at once for those with rules
NOTIFICATION_RULES_MAX: Final = 100  # of one bucket (S3's own bound)
DELIVERY_PAGE: Final = 256  # queued records looked at together
DELIVERY_PAGES_MAX: Final = 40  # of one turn
DELIVERIES_AT_ONCE: Final = 8  # messages on their way to targets
DELIVERY_SECONDS_MAX: Final = 10  # a target that takes longer has not taken it
DELIVERY_BACKOFF_MS_MAX: Final = 600_000  # between two tries of one record
SWEEP_ROWS_PER_SECOND: Final = 20_000  # versions the lifecycle sweep judges, at most: others use the store too
DRY_RUN_MAX: Final = 1_000  # actions one dry run tells
LOG_PREFIX_CHARS_MAX: Final = 800  # of access logs' names: room is left for what follows
ACCESS_LOG_BYTES_MAX: Final = 8 * MIB  # lines of access logs a worker holds between two rolls
INVENTORY_FILE_ROWS: Final = 20_000  # about, of one CSV file of an inventory: one step reads and writes so many

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
