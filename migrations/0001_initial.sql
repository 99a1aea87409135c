-- The schema of the first release. Two families that never join: the object family (namespace, versions, contents,
-- uploads, attempts) and the chunk family (chunks, their references, blobs waiting for removal).
-- Sharding: bucket, obj_head, obj_version and upload are keyed by bucket id; what is keyed by an attempt's or upload's
-- id instead carries `shard`, 0 in one database. Keys are BLOBs: binary order is S3's order.
-- dialect: sqlite

CREATE TABLE bucket (
    bucket_id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    region TEXT NOT NULL,
    versioning TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX bucket_by_owner ON bucket (owner, name);

-- Current live versions only: everything GET, HEAD and ListObjects ask for.
CREATE TABLE obj_head (
    bucket_id BLOB NOT NULL,
    key BLOB NOT NULL,
    version_id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    ref_id BLOB NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    modified_ms INTEGER NOT NULL,
    owner TEXT NOT NULL,
    storage_class TEXT NOT NULL,
    checksum TEXT,
    part_count INTEGER NOT NULL,
    attributes TEXT,
    PRIMARY KEY (bucket_id, key)
) WITHOUT ROWID;

-- Every version, newest first within its key: seq_down is 2^63 - 1 - seq. seq counts the key's commits; it is read and
-- written inside the commit, so it is commit order.
CREATE TABLE obj_version (
    bucket_id BLOB NOT NULL,
    key BLOB NOT NULL,
    seq_down INTEGER NOT NULL,
    version_id BLOB NOT NULL,
    ref_id BLOB NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    modified_ms INTEGER NOT NULL,
    owner TEXT NOT NULL,
    storage_class TEXT NOT NULL,
    checksum TEXT,
    part_count INTEGER NOT NULL,
    attributes TEXT,
    delete_marker INTEGER NOT NULL,
    PRIMARY KEY (bucket_id, key, seq_down)
) WITHOUT ROWID;

-- A rowid table, unlike its neighbours: rows of kilobytes are appended, and only small entries of the index move.
-- Page 0 holds the inline bytes or the first packed chunk entries (chunk id 32 | blob id 16 | length 4, big endian).
CREATE TABLE content (
    ref_id BLOB NOT NULL,
    page INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    start INTEGER NOT NULL,
    more INTEGER NOT NULL,
    inline BLOB,
    entries BLOB,
    PRIMARY KEY (ref_id, page)
);

CREATE TABLE upload (
    bucket_id BLOB NOT NULL,
    key BLOB NOT NULL,
    upload_id BLOB NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    initiated_ms INTEGER NOT NULL,
    storage_class TEXT NOT NULL,
    attributes TEXT,
    checksum_algorithm TEXT NOT NULL,
    checksum_kind TEXT NOT NULL,
    PRIMARY KEY (bucket_id, key, upload_id)
) WITHOUT ROWID;

-- Parts of uploads in progress (start is NULL) and of the versions made of them (start is set on completion).
CREATE TABLE part (
    upload_id BLOB NOT NULL,
    number INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    ref_id BLOB NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    modified_ms INTEGER NOT NULL,
    checksum TEXT,
    start INTEGER,
    PRIMARY KEY (upload_id, number)
) WITHOUT ROWID;

CREATE INDEX part_by_start ON part (upload_id, start) WHERE start IS NOT NULL;

-- state: 'O' open, 'A' aborted (kept until its references are released).
CREATE TABLE intent (
    ref_id BLOB NOT NULL PRIMARY KEY,
    shard INTEGER NOT NULL,
    state TEXT NOT NULL,
    expires_ms INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX intent_by_expiry ON intent (state, expires_ms);

-- kind: 'C' a content (one attempt), 'P' all parts of an upload.
CREATE TABLE release_outbox (
    ref_id BLOB NOT NULL PRIMARY KEY,
    shard INTEGER NOT NULL,
    kind TEXT NOT NULL
) WITHOUT ROWID;

-- state: 'W' wanted (pinned, nothing published), 'L' live in blob_id. length: plaintext bytes.
CREATE TABLE chunk (
    chunk_id BLOB NOT NULL PRIMARY KEY,
    state TEXT NOT NULL,
    blob_id BLOB,
    length INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE chunk_ref (
    chunk_id BLOB NOT NULL,
    ref_id BLOB NOT NULL,
    PRIMARY KEY (chunk_id, ref_id)
) WITHOUT ROWID;

CREATE INDEX chunk_ref_by_ref ON chunk_ref (ref_id);

CREATE TABLE blob_gc (
    blob_id BLOB NOT NULL PRIMARY KEY,
    not_before_ms INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX blob_gc_by_time ON blob_gc (not_before_ms);

CREATE TABLE lease (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    expires_ms INTEGER NOT NULL
) WITHOUT ROWID;

-- dialect: mysql

CREATE TABLE bucket (
    bucket_id VARBINARY(16) NOT NULL,
    name VARCHAR(63) NOT NULL,
    owner VARCHAR(255) NOT NULL,
    created_ms BIGINT NOT NULL,
    region VARCHAR(64) NOT NULL,
    versioning VARCHAR(16) NOT NULL,
    PRIMARY KEY (bucket_id),
    UNIQUE KEY bucket_by_name (name),
    KEY bucket_by_owner (owner, name)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE obj_head (
    bucket_id VARBINARY(16) NOT NULL,
    `key` VARBINARY(1024) NOT NULL,
    version_id VARBINARY(16) NOT NULL,
    seq BIGINT NOT NULL,
    ref_id VARBINARY(16) NOT NULL,
    size BIGINT NOT NULL,
    etag VARCHAR(255) NOT NULL,
    modified_ms BIGINT NOT NULL,
    owner VARCHAR(255) NOT NULL,
    storage_class VARCHAR(64) NOT NULL,
    checksum VARCHAR(255),
    part_count INT NOT NULL,
    attributes MEDIUMTEXT,
    PRIMARY KEY (bucket_id, `key`)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE obj_version (
    bucket_id VARBINARY(16) NOT NULL,
    `key` VARBINARY(1024) NOT NULL,
    seq_down BIGINT NOT NULL,
    version_id VARBINARY(16) NOT NULL,
    ref_id VARBINARY(16) NOT NULL,
    size BIGINT NOT NULL,
    etag VARCHAR(255) NOT NULL,
    modified_ms BIGINT NOT NULL,
    owner VARCHAR(255) NOT NULL,
    storage_class VARCHAR(64) NOT NULL,
    checksum VARCHAR(255),
    part_count INT NOT NULL,
    attributes MEDIUMTEXT,
    delete_marker TINYINT NOT NULL,
    PRIMARY KEY (bucket_id, `key`, seq_down)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE content (
    ref_id VARBINARY(16) NOT NULL,
    page INT NOT NULL,
    shard BIGINT UNSIGNED NOT NULL,
    start BIGINT NOT NULL,
    more TINYINT NOT NULL,
    inline MEDIUMBLOB,
    entries MEDIUMBLOB,
    PRIMARY KEY (ref_id, page)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE upload (
    bucket_id VARBINARY(16) NOT NULL,
    `key` VARBINARY(1024) NOT NULL,
    upload_id VARBINARY(16) NOT NULL,
    owner VARCHAR(255) NOT NULL,
    initiated_ms BIGINT NOT NULL,
    storage_class VARCHAR(64) NOT NULL,
    attributes MEDIUMTEXT,
    checksum_algorithm VARCHAR(32) NOT NULL,
    checksum_kind VARCHAR(32) NOT NULL,
    PRIMARY KEY (bucket_id, `key`, upload_id),
    UNIQUE KEY upload_by_id (upload_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE part (
    upload_id VARBINARY(16) NOT NULL,
    number INT NOT NULL,
    shard BIGINT UNSIGNED NOT NULL,
    ref_id VARBINARY(16) NOT NULL,
    size BIGINT NOT NULL,
    etag VARCHAR(255) NOT NULL,
    modified_ms BIGINT NOT NULL,
    checksum VARCHAR(255),
    start BIGINT,
    PRIMARY KEY (upload_id, number),
    KEY part_by_start (upload_id, start)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE intent (
    ref_id VARBINARY(16) NOT NULL,
    shard BIGINT UNSIGNED NOT NULL,
    state CHAR(1) NOT NULL,
    expires_ms BIGINT NOT NULL,
    PRIMARY KEY (ref_id),
    KEY intent_by_expiry (state, expires_ms)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE release_outbox (
    ref_id VARBINARY(16) NOT NULL,
    shard BIGINT UNSIGNED NOT NULL,
    kind CHAR(1) NOT NULL,
    PRIMARY KEY (ref_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE chunk (
    chunk_id VARBINARY(32) NOT NULL,
    state CHAR(1) NOT NULL,
    blob_id VARBINARY(16),
    length BIGINT NOT NULL,
    PRIMARY KEY (chunk_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE chunk_ref (
    chunk_id VARBINARY(32) NOT NULL,
    ref_id VARBINARY(16) NOT NULL,
    PRIMARY KEY (chunk_id, ref_id),
    KEY chunk_ref_by_ref (ref_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE blob_gc (
    blob_id VARBINARY(16) NOT NULL,
    not_before_ms BIGINT NOT NULL,
    PRIMARY KEY (blob_id),
    KEY blob_gc_by_time (not_before_ms)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE lease (
    name VARCHAR(255) NOT NULL,
    holder VARCHAR(255) NOT NULL,
    expires_ms BIGINT NOT NULL,
    PRIMARY KEY (name)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What a transaction locks for a key, which may have no row of its own: the slot its hash falls on. Rows are made as
-- they are first locked and never go.
CREATE TABLE key_lock (
    shard BIGINT UNSIGNED NOT NULL,
    slot INT NOT NULL,
    PRIMARY KEY (shard, slot)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
