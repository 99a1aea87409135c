"""Clients that are Python libraries: minio-py with versions and KMS, obstore (Rust's object_store) with its conditions.

obstore's put-if-absent and copy-if-absent are what Delta Lake and Iceberg commit with.
"""

import io

import obstore
import pytest
from minio import Minio
from minio.commonconfig import ENABLED, Tags
from minio.sse import SseKMS
from minio.versioningconfig import VersioningConfig
from obstore.store import S3Store

from tests.integration.server import Server
from tests.integration.test_objects import MIB, noise


@pytest.mark.slow
def test_minio_py_seals_parts_lists_versions_and_removes_them(server: Server) -> None:
    keys = server.credentials
    client = Minio(
        endpoint=f"127.0.0.1:{server.s3_port}", access_key=keys.access_key, secret_key=keys.secret_key, secure=False
    )
    named = {"bucket_name": "minio-py", "object_name": "dir/ünï code"}
    data, tags = noise(7 * MIB, 3), Tags.new_object_tags()
    tags["kind"] = "test"
    client.make_bucket(bucket_name="minio-py")
    client.set_bucket_versioning(bucket_name="minio-py", config=VersioningConfig(ENABLED))
    sealed = SseKMS("alias/aws/s3", {"purpose": "test"})
    client.put_object(**named, data=io.BytesIO(data), length=len(data), part_size=5 * MIB, tags=tags, sse=sealed)
    answer = client.get_object(**named)
    assert answer.read() == data
    answer.close()
    assert client.get_object_tags(**named) == tags
    client.remove_object(**named)
    versions = list(client.list_objects(bucket_name="minio-py", recursive=True, include_version=True))
    assert sorted(version.is_delete_marker for version in versions) == [False, True]
    for version in versions:
        client.remove_object(**named, version_id=version.version_id)
    client.remove_bucket(bucket_name="minio-py")


@pytest.mark.slow
def test_obstore_creates_once_replaces_what_it_saw_and_uploads_in_parts(server: Server, bucket: str) -> None:
    keys = server.credentials
    store = S3Store(
        bucket,
        endpoint=server.endpoint,
        access_key_id=keys.access_key,
        secret_access_key=keys.secret_key,
        region="us-east-1",
        client_options={"allow_http": True},
    )
    data = noise(11 * MIB, 4)
    obstore.put(store, "t/large", data, use_multipart=True)
    assert bytes(obstore.get(store, "t/large").bytes()) == data
    assert bytes(obstore.get_range(store, "t/large", start=5 * MIB - 3, length=7)) == data[5 * MIB - 3 : 5 * MIB + 4]
    first = obstore.put(store, "t/commit", b"1", mode="create")
    with pytest.raises(obstore.exceptions.AlreadyExistsError):
        obstore.put(store, "t/commit", b"2", mode="create")
    obstore.put(store, "t/commit", b"3", mode={"e_tag": first["e_tag"]})
    with pytest.raises(obstore.exceptions.PreconditionError):
        obstore.put(store, "t/commit", b"4", mode={"e_tag": first["e_tag"]})
    obstore.rename(store, "t/large", "t/moved")
    assert sorted(entry["path"] for entry in obstore.list(store, "t").collect()) == ["t/commit", "t/moved"]
