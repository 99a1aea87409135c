"""Listings against a model in Python: every prefix, delimiter, page size and starting point gives the same answer."""

import random
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.test_objects import code_of

ALPHABET = ["a", "b", "/", "-", "é", "0"]


def model(keys: list[str], prefix: str, delimiter: str, after: str) -> list[tuple[str, bool]]:
    """Entries in order: (name, is a common prefix) of everything after `after`."""
    entries: list[tuple[str, bool]] = []
    for key in keys:
        if not key.startswith(prefix) or key.encode() <= after.encode():
            continue
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        entry = (key, False) if cut < 0 else (key[: cut + len(delimiter)], True)
        if entry[1] and after and after.encode() >= entry[0].encode() and after.startswith(entry[0]):
            continue
        if not entries or entries[-1] != entry:
            entries.append(entry)
    return entries


def pages(s3: Any, bucket: str, prefix: str, delimiter: str, size: int) -> list[tuple[str, bool]]:
    """Everything ListObjectsV2 returns, page by page, in the order of each page merged."""
    seen: list[tuple[str, bool]] = []
    extra: dict[str, Any] = {}
    for _ in range(500):
        page = s3.list_objects_v2(Bucket=bucket, Prefix=prefix, Delimiter=delimiter, MaxKeys=size, **extra)
        found = [(one["Key"], False) for one in page.get("Contents", [])]
        found += [(one["Prefix"], True) for one in page.get("CommonPrefixes", [])]
        assert page["KeyCount"] == len(found) <= size
        seen += sorted(found, key=lambda entry: entry[0].encode())
        if not page["IsTruncated"]:
            return seen
        assert len(found) == size
        extra = {"ContinuationToken": page["NextContinuationToken"]}
    raise AssertionError("the listing does not end")


def pages_v1(s3: Any, bucket: str, prefix: str, delimiter: str, size: int) -> list[tuple[str, bool]]:
    """The same by ListObjects and its markers."""
    seen: list[tuple[str, bool]] = []
    marker = ""
    for _ in range(500):
        page = s3.list_objects(Bucket=bucket, Prefix=prefix, Delimiter=delimiter, MaxKeys=size, Marker=marker)
        found = [(one["Key"], False) for one in page.get("Contents", [])]
        found += [(one["Prefix"], True) for one in page.get("CommonPrefixes", [])]
        seen += sorted(found, key=lambda entry: entry[0].encode())
        if not page["IsTruncated"]:
            return seen
        marker = page.get("NextMarker") or seen[-1][0]
    raise AssertionError("the listing does not end")


@pytest.fixture(scope="module")
def keys() -> list[str]:
    """Random keys that share many prefixes, in binary order."""
    dice = random.Random(20261122)
    made = {"".join(dice.choices(ALPHABET, k=dice.randint(1, 7))) for _ in range(160)}
    return sorted(made, key=str.encode)


@pytest.fixture(scope="module")
def listed(s3: Any, keys: list[str]) -> str:
    """A bucket that holds exactly the keys."""
    s3.create_bucket(Bucket="listing-model")
    for key in keys:
        s3.put_object(Bucket="listing-model", Key=key, Body=b"")
    return "listing-model"


@pytest.mark.parametrize("delimiter", ["", "/", "a", "-b", "é"])
@pytest.mark.parametrize("prefix", ["", "a", "a/", "/", "é", "zz"])
def test_every_page_size_gives_what_the_model_gives(
    s3: Any, listed: str, keys: list[str], prefix: str, delimiter: str
) -> None:
    want = model(keys, prefix, delimiter, "")
    for size in (3, 17, 1000):
        assert pages(s3, listed, prefix, delimiter, size) == want
    assert pages_v1(s3, listed, prefix, delimiter, 13) == want


@pytest.mark.parametrize("delimiter", ["", "/"])
def test_start_after_skips_what_the_model_skips(s3: Any, listed: str, keys: list[str], delimiter: str) -> None:
    for after in [*keys[::25], "a/", "b0zzz", "~"]:
        page = s3.list_objects_v2(Bucket=listed, Delimiter=delimiter, StartAfter=after)
        found = [(one["Key"], False) for one in page.get("Contents", [])]
        found += [(one["Prefix"], True) for one in page.get("CommonPrefixes", [])]
        assert sorted(found, key=lambda entry: entry[0].encode()) == model(keys, "", delimiter, after), after


def test_no_keys_asked_gives_no_keys_and_no_more(s3: Any, listed: str) -> None:
    page = s3.list_objects_v2(Bucket=listed, MaxKeys=0)
    assert (page["KeyCount"], page["IsTruncated"]) == (0, False)


def test_bad_listing_parameters_are_refused(s3: Any, listed: str) -> None:
    for bad in ({"MaxKeys": -1}, {"ContinuationToken": "no such token"}, {"EncodingType": "base64"}):
        with pytest.raises(ClientError) as error:
            s3.list_objects_v2(Bucket=listed, **bad)
        assert code_of(error) == ("InvalidArgument", 400), bad


def test_an_entry_carries_what_clients_sync_by(s3: Any, bucket: str) -> None:
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"12345")
    (one,) = s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"]
    assert (one["ETag"], one["Size"], one["StorageClass"]) == (put["ETag"], 5, "STANDARD")
    assert len(one["Owner"]["ID"]) == 64
