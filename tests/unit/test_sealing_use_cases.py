"""Encryption over every service: schemes, keys that are rotated or disabled, copies, parts, renames."""

import hashlib
import json
from base64 import b64encode
from dataclasses import replace

import pytest

from app.core import limits
from app.core.cluster.keys import DEFAULT_KMS_ALIAS, DISABLED, PENDING_DELETION, SSE_S3_KEY
from app.core.errors import Corrupt, S3Error
from app.core.integrity import NOTHING
from app.core.s3.configs.encryption import GRAMMAR
from app.core.s3.encryption import COPY_SOURCE_CUSTOMER, CUSTOMER, requested
from app.core.s3.multipart import RequestedPart
from app.core.s3.wanted import NOTHING_WANTED
from app.core.types import Bucket
from app.services.buckets.buckets import Birth
from app.services.call import NOBODY, Facts
from app.services.objects.copying import CopyRequest
from app.services.objects.multipart import UploadTarget
from app.services.objects.objects import Incoming, Selection, Target
from app.services.objects.renaming import RenameRequest
from tests.house import BytesBody, House, noise

SSE = "x-amz-server-side-encryption"
S3, KMS = {SSE: "AES256"}, {SSE: "aws:kms", SSE + "-aws-kms-key-id": "named"}
DATA = noise(300_000)


def customer(key, prefix=CUSTOMER):
    digest = b64encode(hashlib.md5(key).digest()).decode()
    return {prefix + "algorithm": "AES256", prefix + "key": b64encode(key).decode(), prefix + "key-md5": digest}


C, OTHER_C = customer(b"c" * 32), customer(b"o" * 32)
SCHEMES = pytest.mark.parametrize("headers", [S3, KMS, C], ids=["SSE-S3", "SSE-KMS", "SSE-C"])


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    made.buckets.create(made.call(), "bucket", Birth())
    yield made
    made.close()


def call(house, headers=(), secure=True):
    return house.call()._replace(facts=Facts(headers=dict(headers), secure=secure))


def put(house, headers, data=DATA, key=b"key", **facts):
    asked = NOTHING_WANTED._replace(encryption=requested(headers))
    incoming = Incoming(BytesBody(data), NOTHING)
    return house.objects.put(call(house, headers, **facts), Target("bucket", key), asked, incoming).version


def get(house, headers=(), key=b"key", span=None):
    read = house.objects.get(call(house, headers), Target("bucket", key), Selection(span=lambda size: span))
    try:
        return b"".join(bytes(piece) for piece in read.pieces)
    finally:
        read.pieces.close()


def refusal(action):
    with pytest.raises(S3Error) as caught:
        action()
    return caught.value.code


def keys_of(headers):
    return {name: value for name, value in headers.items() if name.startswith(CUSTOMER)}


def configure(house, inner):
    document = GRAMMAR.canonical(
        f"<ServerSideEncryptionConfiguration><Rule>{inner}</Rule></ServerSideEncryptionConfiguration>".encode()
    )
    bucket = house.store.bucket_get("bucket")

    def amend(current: Bucket) -> Bucket:
        return replace(current, configs={"encryption": document})

    house.store.bucket_amend(bucket.bucket_id, amend)


@SCHEMES
@pytest.mark.parametrize("size", [0, 5, limits.INLINE_BYTES_MAX, 300_000, 8 * limits.MIB])
def test_an_object_is_read_back_whole_and_by_ranges(house, headers, size):
    data = noise(size)
    version = put(house, headers, data)
    assert get(house, keys_of(headers)) == data
    if size > 10:
        assert get(house, keys_of(headers), span=(size - 7, 5)) == data[-7:-2]
    is_md5 = version.etag == hashlib.md5(data).hexdigest()
    assert is_md5 == (headers is S3)
    house.check()


def test_the_default_of_the_bucket_holds_for_writes_that_ask_for_nothing(house):
    named = "<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>named</KMSMasterKeyID>"
    by_default = f"<ApplyServerSideEncryptionByDefault>{named}</ApplyServerSideEncryptionByDefault>"
    configure(house, by_default + "<BucketKeyEnabled>true</BucketKeyEnabled>")
    found = put(house, {}).attributes.encryption
    assert (found.scheme, found.key_id.rpartition("/")[2], found.bucket_key) == ("aws:kms", "named", True)
    assert put(house, S3).attributes.encryption.scheme == "AES256"
    default = put(house, {SSE: "aws:kms:dsse"}).attributes.encryption
    assert default.key_id.endswith("key/default")
    assert get(house) == DATA


def test_a_bucket_may_block_customers_keys(house):
    blocked = "<BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes>"
    configure(house, blocked)
    assert refusal(lambda: put(house, C)) == "AccessDenied"
    assert put(house, {}).attributes.encryption is None


def test_a_customers_key_must_come_with_every_read_and_be_the_one(house):
    put(house, C)
    target = Target("bucket", b"key")
    for headers in ({}, OTHER_C):
        assert refusal(lambda headers=headers: get(house, headers)) == "InvalidRequest"
        head = lambda headers=headers: house.objects.head(call(house, headers), target, Selection())  # noqa: E731
        assert refusal(head) == "InvalidRequest"
    put(house, S3)
    assert refusal(lambda: get(house, C)) == "InvalidRequest"
    put(house, {})
    assert refusal(lambda: get(house, C)) == "InvalidRequest"


def test_a_customers_key_is_taken_over_a_secure_connection_only(house):
    assert refusal(lambda: put(house, C, secure=False)) == "InvalidRequest"


def test_a_kms_key_is_not_used_for_nobody_however_public_the_object_is(house):
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:*Object", "Resource": "arn:aws:s3:::bucket/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]}).encode()
    bucket_id = house.store.bucket_get("bucket").bucket_id
    house.store.bucket_amend(bucket_id, lambda bucket: replace(bucket, configs={"policy": policy}))
    put(house, {}, key=b"clear")
    put(house, {"x-amz-server-side-encryption": "AES256"}, key=b"server")
    put(house, {"x-amz-server-side-encryption": "aws:kms"}, key=b"kms")
    nobody = call(house)._replace(caller=NOBODY)
    for key in (b"clear", b"server"):
        house.objects.get(nobody, Target("bucket", key), Selection()).pieces.close()
    assert refusal(lambda: house.objects.get(nobody, Target("bucket", b"kms"), Selection())) == "AccessDenied"


def test_a_rotated_key_opens_what_it_sealed_before_and_seals_with_its_newest_version(house):
    before = put(house, KMS, key=b"before").attributes.encryption.wrapped
    accounts = house.accounts
    accounts.set_keys(accounts.key(SSE_S3_KEY), accounts.key("named", versions=2))
    after = put(house, KMS, key=b"after").attributes.encryption.wrapped
    assert get(house, key=b"before") == get(house, key=b"after") == DATA
    assert (before[1:5], after[1:5]) == (bytes(4), b"\0\0\0\x01")


@pytest.mark.parametrize(
    ("state", "code"),
    [(DISABLED, "KMS.DisabledException"), (PENDING_DELETION, "KMS.KMSInvalidStateException")],
)
def test_a_key_that_is_off_neither_writes_nor_reads(house, state, code):
    put(house, KMS)
    accounts = house.accounts
    accounts.set_keys(accounts.key(SSE_S3_KEY), replace(accounts.key("named"), state=state))
    assert refusal(lambda: put(house, KMS)) == code
    assert refusal(lambda: get(house)) == code
    house.objects.head(call(house), Target("bucket", b"key"), Selection())


@pytest.mark.parametrize("name", ["unknown", "alias/unknown", SSE_S3_KEY])
def test_a_key_nobody_made_is_not_found(house, name):
    headers = {SSE: "aws:kms", SSE + "-aws-kms-key-id": name}
    assert refusal(lambda: put(house, headers)) == "KMS.NotFoundException"


def test_a_key_answers_to_its_arn_and_its_alias(house):
    arn = house.accounts.key("named").arn
    for name in (arn, DEFAULT_KMS_ALIAS):
        put(house, {SSE: "aws:kms", SSE + "-aws-kms-key-id": name})
        assert get(house) == DATA


def test_a_data_key_moved_to_another_object_does_not_open(house):
    one, two = put(house, S3, key=b"one"), put(house, S3, key=b"two")
    moved = replace(two.attributes, encryption=one.attributes.encryption)
    with pytest.raises(Corrupt):
        house.sealing.open(call(house), two._replace(attributes=moved))


@pytest.mark.parametrize("source", [{}, S3, KMS, C], ids=["clear", "SSE-S3", "SSE-KMS", "SSE-C"])
@pytest.mark.parametrize("target", [{}, S3, KMS, OTHER_C], ids=["clear", "SSE-S3", "SSE-KMS", "SSE-C"])
def test_a_copy_is_encrypted_as_it_asks_whatever_its_source_is(house, source, target):
    put(house, source, key=b"source")
    headers = dict(target) | (customer(b"c" * 32, COPY_SOURCE_CUSTOMER) if source is C else {})
    request = CopyRequest(
        Target("bucket", b"source"), Selection(), Target("bucket", b"copy"),
        NOTHING_WANTED._replace(encryption=requested(headers)),
    )  # fmt: skip
    copied = house.copying.copy(call(house, headers), request).version
    assert (copied.attributes.encryption is None) == (not target)
    assert get(house, keys_of(target), b"copy") == DATA
    house.check()


def test_a_copy_of_an_object_under_a_customers_key_needs_that_key(house):
    put(house, C, key=b"source")
    request = CopyRequest(Target("bucket", b"source"), Selection(), Target("bucket", b"copy"))
    assert refusal(lambda: house.copying.copy(call(house, C), request)) == "InvalidRequest"


@pytest.mark.parametrize("headers", [S3, KMS], ids=["SSE-S3", "SSE-KMS"])
def test_a_renamed_object_opens_under_its_new_key(house, headers):
    put(house, headers)
    house.renaming.rename(call(house), RenameRequest(Target("bucket", b"new"), b"key"))
    assert get(house, key=b"new") == DATA
    house.check()


def test_an_object_under_a_customers_key_cannot_be_renamed(house):
    put(house, C)
    request = RenameRequest(Target("bucket", b"new"), b"key")
    assert refusal(lambda: house.renaming.rename(call(house, C), request)) == "InvalidRequest"


def refuse_part_and_completion(house, addressed, chosen, headers):
    asking, incoming = call(house, headers), Incoming(BytesBody(b"x"), NOTHING)
    assert refusal(lambda: house.multipart.upload_part(asking, addressed, 4, incoming)) == "InvalidRequest"
    assert refusal(lambda: house.multipart.complete(asking, addressed, chosen, None)) == "InvalidRequest"


@SCHEMES
def test_parts_are_sealed_under_their_uploads_data_key(house, headers):
    own, target = keys_of(headers), Target("bucket", b"big")
    asked = NOTHING_WANTED._replace(encryption=requested(headers))
    upload = house.multipart.create(call(house, headers), target, asked, "", "")
    addressed = UploadTarget(target, upload.upload_id.hex())
    parts = [noise(8 * limits.MIB, 1), noise(5 * limits.MIB + 3, 2), noise(7, 3)]
    chosen = []
    for number, data in enumerate(parts, 1):
        incoming = Incoming(BytesBody(data), NOTHING)
        part = house.multipart.upload_part(call(house, own), addressed, number, incoming).part
        chosen.append(RequestedPart(number, part.etag))
    for wrong in ({}, OTHER_C) if own else ():
        refuse_part_and_completion(house, addressed, chosen, wrong)
    house.multipart.complete(call(house, own), addressed, chosen, None)
    whole = b"".join(parts)
    assert get(house, own, b"big") == whole
    edge = len(parts[0]) - 3
    assert get(house, own, b"big", (edge, 6)) == whole[edge : edge + 6]
    read = house.objects.get(call(house, own), target, Selection(part_number=2))
    assert b"".join(bytes(piece) for piece in read.pieces) == parts[1]
    read.pieces.close()
    house.check()
