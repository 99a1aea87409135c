-- Versions stacked on a key, configurations of buckets, durable queues and notes of the background work.
-- dialect: sqlite

ALTER TABLE bucket ADD COLUMN object_lock INTEGER NOT NULL DEFAULT 0;

ALTER TABLE upload ADD COLUMN initiator TEXT NOT NULL DEFAULT '';

-- name: '' for the kinds a bucket has one document of; these are read with the bucket, through the index below.
CREATE TABLE bucket_config (
    bucket_id BLOB NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (bucket_id, kind, name)
) WITHOUT ROWID;

CREATE INDEX bucket_config_single ON bucket_config (bucket_id) WHERE name = '';

-- What the rows of a key's stack do not tell. null_seq: where the null version lies when it is not the head (0 = it is,
-- or there is none). top_seq: the greatest seq given so far when a version above all that are left was removed (0 =
-- nothing greater than the newest row's). No row = both are 0; a bucket that never had versioning has none.
CREATE TABLE obj_stack (
    bucket_id BLOB NOT NULL,
    key BLOB NOT NULL,
    null_seq INTEGER NOT NULL,
    top_seq INTEGER NOT NULL,
    PRIMARY KEY (bucket_id, key)
) WITHOUT ROWID;

CREATE TABLE task (
    queue TEXT NOT NULL,
    task_id BLOB NOT NULL,
    due_ms INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (queue, task_id)
) WITHOUT ROWID;

CREATE INDEX task_by_time ON task (queue, due_ms);

CREATE TABLE note (
    name TEXT NOT NULL PRIMARY KEY,
    document BLOB NOT NULL
) WITHOUT ROWID;

-- dialect: mysql

ALTER TABLE bucket ADD COLUMN object_lock TINYINT NOT NULL DEFAULT 0;

ALTER TABLE upload ADD COLUMN initiator VARCHAR(2048) NOT NULL DEFAULT '';

CREATE TABLE bucket_config (
    bucket_id VARBINARY(16) NOT NULL,
    kind VARCHAR(64) NOT NULL,
    name VARCHAR(255) NOT NULL,
    document MEDIUMBLOB NOT NULL,
    PRIMARY KEY (bucket_id, kind, name),
    KEY bucket_config_single (bucket_id, name)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE obj_stack (
    bucket_id VARBINARY(16) NOT NULL,
    `key` VARBINARY(1024) NOT NULL,
    null_seq BIGINT NOT NULL,
    top_seq BIGINT NOT NULL,
    PRIMARY KEY (bucket_id, `key`)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE task (
    queue VARCHAR(64) NOT NULL,
    task_id VARBINARY(255) NOT NULL,
    due_ms BIGINT NOT NULL,
    body MEDIUMBLOB NOT NULL,
    PRIMARY KEY (queue, task_id),
    KEY task_by_time (queue, due_ms)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE note (
    name VARCHAR(512) NOT NULL,
    document MEDIUMBLOB NOT NULL,
    PRIMARY KEY (name)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
