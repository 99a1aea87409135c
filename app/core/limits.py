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
SQL_USAGE_SLOTS: Final = 64  # of what one bucket holds: connections that write to it at one time count apart
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
QUERY_BODY_BYTES_MAX: Final = 256 * KIB  # a form of the query API: a policy's text, percent-encoded
QUERY_PARAMETERS_MAX: Final = 1_000  # of one form
QUERY_ITEMS: Final = 100  # of a page of IAM's lists, unless MaxItems says otherwise; IAM's own numbers, as the next
QUERY_ITEMS_MAX: Final = 1_000
QUERY_MARKER_CHARS_MAX: Final = 1_024  # a name and its kind, encoded
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
LDAP_SECONDS_MAX: Final = 5  # to connect to the directory, and for each of its answers
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
RESEAL_COMMANDS_MAX: Final = 100  # of one call; the next goes on behind them
SEED_BYTES_MAX: Final = 4 * MIB  # of a seed file (iam.toml)
BACKUP_PIECE_BYTES: Final = 1 * MIB  # of a backup, sealed on its own
BACKUP_HEAD_BYTES_MAX: Final = 4 * KIB  # its first line
BACKUP_BYTES_MAX: Final = 256 * MIB  # a whole one, of a restore's body
BACKUPS_LISTED_MAX: Final = 1_000  # of one target; a page of ListObjectsV2
BACKUP_LOOK_SECONDS: Final = 60.0  # between two looks whether a backup is due; also between two tries
BACKUP_SECONDS_MAX: Final = 60.0  # one request to a bucket of backups
RESTORE_PIECE_BYTES: Final = 256 * KIB  # about, of one command of a restore
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

# --- what is told of requests afterwards (docs/design/explain.md)
TRACE_FILE_BYTES: Final = 4 * MIB  # of a worker's newest requests; as many again in the file before it
TRACE_UNWRITTEN_MAX: Final = 8_192  # lines of one worker between two writings; the oldest are forgotten
TRACE_FILES_MAX: Final = 64  # of workers that are and were; those written longest ago go
TRACE_TEXT_CHARS_MAX: Final = 1_024  # of one text in a trace or an audit line; a key has as many bytes
AUDIT_WAITING_MAX: Final = 8_192  # lines of one process, for each sink; with more waiting, new ones are dropped
AUDIT_LINE_BYTES_MAX: Final = 8 * KIB  # one line; longer texts are cut
AUDIT_WRITE_BYTES_MAX: Final = 64 * KIB  # lines handed over at once, by one write or one request
AUDIT_FLUSH_SECONDS: Final = 0.25  # between two writings
AUDIT_REST_SECONDS: Final = 5.0  # a sink that took nothing is left in peace for so long
SIMULATED_CONTEXT_MAX: Final = 256  # condition keys, and values of one, in a simulation
SIMULATED_POLICIES_MAX: Final = 10  # session policies in a simulation: as many as a session has

# --- administration (app/faces/http/admin)
ADMIN_PAGE: Final = 100  # entries of a page of the admin API, unless another number is asked for
ADMIN_PAGE_MAX: Final = 1_000
BEARER_SECONDS: Final = 3_600  # of a token for the admin API, unless another time is asked for
BEARER_TOKEN_CHARS_MAX: Final = 1_024  # longest one looked at; those we make have some 120
BEARER_SECONDS_MIN: Final = 900  # of a token for the admin API
BEARER_SECONDS_MAX: Final = 43_200
ADMIN_FAILURES_FREE: Final = 10  # wrong credentials from one address before the next try has to wait
ADMIN_WAIT_SECONDS_MAX: Final = 60  # it waits 1, 2, 4 ... seconds, and so many at most
ADMIN_FAILURES_KEPT_SECONDS: Final = 900  # without a further one
ADMIN_ADDRESSES_MAX: Final = 10_000  # pairs of address and access key remembered for it
ADMIN_KEY_CHARS_COUNTED: Final = 128  # of an access key: IAM's longest

# --- quotas and rates (app/services/limits; docs/design/limits.md)
QUOTA_SEEN_MS_MAX: Final = 1_000  # a worker believes so long what a bucket or account was counted to hold
QUOTAS_REMEMBERED_MAX: Final = 10_000  # of one worker; then all are looked up anew
RATE_BURST_SECONDS: Final = 0.5  # of a rate that may be taken at once
RATE_RETRY_SECONDS_MAX: Final = 60  # Retry-After
RATE_LEVELS_MAX: Final = 20_000  # of one worker
RATE_COLUMNS: Final = 32  # workers of a node that count apart; with the cells 8 MiB of shared memory
RATE_CELLS: Final = 16_384  # scopes with rates of one run; more than LIMITS_MAX
LIMIT_MAX: Final = 2**62  # of one quota or rate; sums stay in 64 bits
BUCKETS_PAGE_MAX: Final = 100  # buckets with their usage in one answer of administration
