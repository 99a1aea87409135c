"""Headers of encryption: what they ask for, how they contradict each other, and what is told of it."""

import json
from base64 import b64encode
from hashlib import md5

import pytest

from app.core.errors import S3Error
from app.core.s3.configs.encryption import GRAMMAR, DefaultEncryption, default_encryption
from app.core.s3.encryption import (
    COPY_SOURCE_CUSTOMER,
    CUSTOMER,
    Asked,
    answer_headers,
    customer_key,
    refuse_on_read,
    requested,
)
from app.core.types import Encryption

SSE = "x-amz-server-side-encryption"
KEY = bytes(range(32))
UMLAUT = '{"a":"\\u00fc","b":"1"}'


def customer(key=KEY, prefix=CUSTOMER, **changed):
    headers = {"algorithm": "AES256", "key": b64encode(key).decode(), "key-md5": b64encode(md5(key).digest()).decode()}
    headers |= {name.replace("_", "-"): value for name, value in changed.items()}
    return {prefix + name: value for name, value in headers.items() if value is not None}


def context(value):
    return b64encode(json.dumps(value).encode()).decode()


def test_a_write_without_such_headers_asks_for_nothing():
    assert requested({"content-type": "a/b", "x-amz-meta-a": "b"}) is None


@pytest.mark.parametrize(
    ("headers", "asked"),
    [
        ({SSE: "AES256"}, Asked("AES256")),
        ({SSE: "aws:kms"}, Asked("aws:kms")),
        ({SSE: "aws:kms", SSE + "-aws-kms-key-id": "k"}, Asked("aws:kms", "k")),
        ({SSE: "aws:kms:dsse", SSE + "-bucket-key-enabled": "TRUE"}, Asked("aws:kms:dsse", bucket_key=True)),
        ({SSE: "aws:kms", SSE + "-context": context({"b": "1", "a": "ü"})}, Asked("aws:kms", context=UMLAUT)),
        ({SSE + "-bucket-key-enabled": "false"}, Asked("", bucket_key=False)),
    ],
)  # fmt: skip
def test_headers_ask_for_a_scheme(headers, asked):
    request = requested(headers)
    assert request is not None
    assert request.asked() == asked


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({SSE: "aes:kms"}, "InvalidArgument"),
        ({SSE: "AES256", SSE + "-aws-kms-key-id": "k"}, "InvalidArgument"),
        ({SSE + "-aws-kms-key-id": "k"}, "InvalidArgument"),
        ({SSE: "AES256", SSE + "-context": context({})}, "InvalidArgument"),
        ({SSE: "aws:kms", SSE + "-context": "!"}, "InvalidArgument"),
        ({SSE: "aws:kms", SSE + "-context": context(["a"])}, "InvalidArgument"),
        ({SSE: "aws:kms", SSE + "-context": context({"a": 1})}, "InvalidArgument"),
        ({SSE: "aws:kms", SSE + "-context": context({"a": "b" * 9_000})}, "InvalidArgument"),
        ({SSE: "aws:kms", SSE + "-context": "A" * 400_000}, "InvalidArgument"),
        ({SSE: "aws:kms", SSE + "-aws-kms-key-id": "k" * 3_000}, "InvalidArgument"),
        ({SSE + "-bucket-key-enabled": "maybe"}, "InvalidArgument"),
        (customer() | {SSE: "AES256"}, "InvalidArgument"),
        (customer() | {SSE: "aws:kms", SSE + "-aws-kms-key-id": "k"}, "InvalidArgument"),
        (customer(algorithm="AES128"), "InvalidEncryptionAlgorithmError"),
        (customer(algorithm=None), "InvalidArgument"),
        (customer(key_md5=None), "InvalidArgument"),
        ({CUSTOMER + "algorithm": "AES256"}, "InvalidArgument"),
        (customer(key_md5="AAAAAAAAAAAAAAAAAAAAAA=="), "InvalidArgument"),
        (customer(key=b"short"), "InvalidArgument"),
    ],
)  # fmt: skip
def test_contradictions_are_refused_only_when_they_are_looked_at(headers, code):
    request = requested(headers)
    assert request is not None
    with pytest.raises(S3Error) as caught:
        request.asked()
    assert caught.value.code == code
    assert caught.value.status == 400


def test_a_customers_key_shows_nowhere():
    headers = customer()
    request = requested(headers)
    assert request is not None
    secret = headers[CUSTOMER + "key"]
    found = request.asked().customer
    assert found is not None
    assert found.key == KEY
    for shown in (repr(request), repr(request.asked()), repr(found)):
        assert secret not in shown
        assert repr(KEY) not in shown
    with pytest.raises(S3Error) as caught:
        customer_key(headers | {CUSTOMER + "key-md5": "AAAA"}, CUSTOMER)
    assert secret not in f"{caught.value} {caught.value.fields} {caught.value.reason}"


def test_the_key_of_a_copys_source_has_headers_of_its_own():
    headers = customer(prefix=COPY_SOURCE_CUSTOMER)
    assert customer_key(headers, CUSTOMER) is None
    found = customer_key(headers, COPY_SOURCE_CUSTOMER)
    assert found is not None
    assert found.key == KEY
    assert requested(headers) is None


def test_a_read_does_not_say_how_an_object_is_encrypted():
    refuse_on_read(customer())
    with pytest.raises(S3Error) as caught:
        refuse_on_read({SSE: "AES256"})
    assert (caught.value.code, caught.value.status) == ("InvalidArgument", 400)


def test_an_answer_tells_what_its_scheme_has_to_tell():
    assert answer_headers(None) == []
    assert answer_headers(Encryption("AES256", b"w")) == [(SSE, "AES256")]
    kms = Encryption("aws:kms", b"w", "arn", context='{"a":"b"}', bucket_key=True)
    told = dict(answer_headers(kms))
    assert told == {SSE: "aws:kms", SSE + "-aws-kms-key-id": "arn", SSE + "-bucket-key-enabled": "true"}
    assert dict(answer_headers(kms, with_context=True))[SSE + "-context"] == b64encode(b'{"a":"b"}').decode()
    told = dict(answer_headers(Encryption("SSE-C", b"w", key_md5="m")))
    assert told == {CUSTOMER + "algorithm": "AES256", CUSTOMER + "key-MD5": "m"}


def configuration(rule):
    return f"<ServerSideEncryptionConfiguration><Rule>{rule}</Rule></ServerSideEncryptionConfiguration>".encode()


def by_default(inner):
    return f"<ApplyServerSideEncryptionByDefault>{inner}</ApplyServerSideEncryptionByDefault>"


@pytest.mark.parametrize(
    ("rule", "default"),
    [
        (by_default("<SSEAlgorithm>AES256</SSEAlgorithm>"), DefaultEncryption("AES256")),
        (
            by_default("<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID>")
            + "<BucketKeyEnabled>true</BucketKeyEnabled>",
            DefaultEncryption("aws:kms", "k", True),
        ),
        (
            "<BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes>",
            DefaultEncryption(blocks_customer_keys=True),
        ),
        (
            "<BlockedEncryptionTypes><EncryptionType>NONE</EncryptionType></BlockedEncryptionTypes>",
            DefaultEncryption(),
        ),
    ],
)
def test_a_buckets_configuration_is_read_back_as_its_rule(rule, default):
    assert default_encryption(GRAMMAR.canonical(configuration(rule))) == default


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (configuration(by_default("<SSEAlgorithm>aws:fsx</SSEAlgorithm>")), "MalformedXML"),
        (configuration(by_default("")), "MalformedXML"),
        (configuration("<Unknown/>"), "MalformedXML"),
        (b"<ServerSideEncryptionConfiguration/>", "MalformedXML"),
        (
            configuration(by_default("<SSEAlgorithm>AES256</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID>")),
            "InvalidArgument",
        ),
    ],
)
def test_a_configuration_that_says_nothing_possible_is_refused(document, code):
    with pytest.raises(S3Error) as caught:
        GRAMMAR.parse(document)
    assert caught.value.code == code
