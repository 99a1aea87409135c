-- What each bucket holds, counted in the transaction of every change of its versions. A bucket's counts are the sums over
-- its slots: transactions of one database connection have a slot of their own, so that they do not wait for each other.
-- objects: versions, delete markers too. bytes: of the versions. part_bytes: of the parts of uploads under way.
-- dialect: sqlite

CREATE TABLE bucket_usage (
    bucket_id BLOB NOT NULL,
    slot INTEGER NOT NULL,
    objects INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    part_bytes INTEGER NOT NULL,
    PRIMARY KEY (bucket_id, slot)
) WITHOUT ROWID;

INSERT INTO bucket_usage (bucket_id, slot, objects, bytes, part_bytes)
    SELECT bucket_id, 0, sum(objects), sum(bytes), sum(part_bytes) FROM (
        SELECT bucket_id, count(*) AS objects, sum(size) AS bytes, 0 AS part_bytes FROM obj_version GROUP BY bucket_id
        UNION ALL
        SELECT u.bucket_id, 0, 0, sum(p.size) FROM upload u JOIN part p ON p.upload_id = u.upload_id GROUP BY u.bucket_id
    ) AS held GROUP BY bucket_id;

-- dialect: mysql

CREATE TABLE bucket_usage (
    bucket_id VARBINARY(16) NOT NULL,
    slot INT NOT NULL,
    objects BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    part_bytes BIGINT NOT NULL,
    PRIMARY KEY (bucket_id, slot)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

REPLACE INTO bucket_usage (bucket_id, slot, objects, bytes, part_bytes)
    SELECT bucket_id, 0, sum(objects), sum(bytes), sum(part_bytes) FROM (
        SELECT bucket_id, count(*) AS objects, sum(size) AS bytes, 0 AS part_bytes FROM obj_version GROUP BY bucket_id
        UNION ALL
        SELECT u.bucket_id, 0, 0, sum(p.size) FROM upload u JOIN part p ON p.upload_id = u.upload_id GROUP BY u.bucket_id
    ) AS held GROUP BY bucket_id;
