"""A server whose metadata is in MariaDB: what a client sees is the same, and the database comes and goes under it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.integration.server import Server
from tests.mariadb import Mariadb


@pytest.fixture
def database() -> Iterator[Mariadb]:
    made = Mariadb()
    made.start()
    yield made
    made.end()


def test_a_server_keeps_its_metadata_where_it_is_told(
    database: Mariadb, own_server: Callable[..., Server], tmp_path: Path
) -> None:
    settings = tmp_path / "zapfs.toml"
    settings.write_text(f'metadata_url = "{database.url()}"\n')
    young = Server(tmp_path / "young", dev=True, arguments=["--config", str(settings)])
    connection = database.connect("mysql")
    connection.cursor().execute("CREATE DATABASE zapfs")
    connection.close()
    refused = young.launch_raw(["server", "--dev", "--config", str(settings), "--data-dir", str(tmp_path / "young")])
    assert refused.returncode != 0
    assert "run zapfs migrate" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    for _ in range(2):
        migrated = young.launch_raw(["migrate", "--config", str(settings)])
        assert (migrated.returncode, migrated.stderr) == (0, "")
    server = own_server(workers=2, arguments=["--config", str(settings)])
    s3 = server.client()
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="small", Body=b"small")
    large = bytes(range(256)) * 80_000
    s3.put_object(Bucket="bucket", Key="large", Body=large)
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="bucket")["Contents"]] == ["large", "small"]
    assert s3.get_object(Bucket="bucket", Key="large")["Body"].read() == large
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket="bucket", Key="small", Body=b"x", IfNoneMatch="*")
    database.kill()
    quick = server.client(config=Config(retries={"total_max_attempts": 1}))
    with pytest.raises(ClientError) as away:
        quick.get_object(Bucket="bucket", Key="small")
    assert away.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    database.start()
    assert quick.get_object(Bucket="bucket", Key="small")["Body"].read() == b"small"
    quick.put_object(Bucket="bucket", Key="small", Body=b"again")
    checked = young.launch_raw(["fsck", "--config", str(settings), "--data-dir", str(server.data_dir)])
    assert checked.returncode == 0, checked.stderr
    assert "unreadable objects: 0, orphaned blobs: 0" in checked.stdout
