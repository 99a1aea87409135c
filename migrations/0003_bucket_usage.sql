-- What each bucket holds, counted in the transaction of every change of its versions. A bucket's counts are the sums over
-- its slots: transactions of one database connection have a slot of their own, so that they do not wait for each other.
-- objects: versions, delete markers too. bytes: of the versions.
-- dialect: sqlite

CREATE TABLE bucket_usage (
    bucket_id BLOB NOT NULL,
    slot INTEGER NOT NULL,
    objects INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (bucket_id, slot)
) WITHOUT ROWID;

INSERT INTO bucket_usage (bucket_id, slot, objects, bytes)
    SELECT bucket_id, 0, count(*), sum(size) FROM obj_version GROUP BY bucket_id;

-- dialect: mysql

CREATE TABLE bucket_usage (
    bucket_id VARBINARY(16) NOT NULL,
    slot INT NOT NULL,
    objects BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    PRIMARY KEY (bucket_id, slot)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

REPLACE INTO bucket_usage (bucket_id, slot, objects, bytes)
    SELECT bucket_id, 0, count(*), sum(size) FROM obj_version GROUP BY bucket_id;
