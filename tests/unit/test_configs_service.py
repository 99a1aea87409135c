"""Use cases on configurations over the real store: permission first, limits, and documents that became unreadable."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.core import limits
from app.core.errors import Corrupt, S3Error
from app.core.s3.configs import kinds
from app.services.buckets.buckets import Birth
from app.services.buckets.configs import Configs, Place
from app.services.call import NOBODY
from app.services.objects.tagging import Tagged, Tagging
from tests.house import House

BUCKET = Place("bucket")
TAGS = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    made.buckets.create(made.call(), "bucket", Birth())
    yield made
    made.close()


def metrics(name: str) -> bytes:
    return f"<MetricsConfiguration><Id>{name}</Id></MetricsConfiguration>".encode()


def test_nobodys_document_is_not_even_read(house: House) -> None:
    configs = Configs(house.store, house.guard)

    def unread() -> bytes:
        raise AssertionError("the body was read before the permission was known")

    for call in (
        lambda: configs.put(house.call(NOBODY), BUCKET, kinds.TAGGING, unread),
        lambda: configs.put_named(house.call(NOBODY), BUCKET, kinds.METRICS, "a", unread),
        lambda: configs.get(house.call(NOBODY), BUCKET, kinds.TAGGING),
        lambda: configs.delete(house.call(NOBODY), BUCKET, kinds.TAGGING),
        lambda: configs.list_named(house.call(NOBODY), BUCKET, kinds.METRICS, ""),
    ):
        with pytest.raises(S3Error) as caught:
            call()
        assert caught.value.code == "AccessDenied"


def test_a_stored_document_that_no_longer_parses_is_corrupt_and_not_absent(house: House) -> None:
    configs = Configs(house.store, house.guard)
    configs.put(house.call(), BUCKET, kinds.TAGGING, lambda: TAGS)
    assert b"<Key>a</Key>" in configs.get(house.call(), BUCKET, kinds.TAGGING)
    bucket = house.store.bucket_get("bucket")
    house.store.bucket_amend(bucket.bucket_id, lambda b: replace(b, configs={"tagging": b"<Tagging><Odd/></Tagging>"}))
    with pytest.raises(Corrupt):
        configs.get(house.call(), BUCKET, kinds.TAGGING)


def test_a_configuration_leaves_the_others_alone(house: House) -> None:
    configs = Configs(house.store, house.guard)
    configs.put(house.call(), BUCKET, kinds.TAGGING, lambda: TAGS)
    payment = b"<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>"
    configs.put(house.call(), BUCKET, kinds.PAYMENT, lambda: payment)
    configs.delete(house.call(), BUCKET, kinds.PAYMENT)
    configs.delete(house.call(), BUCKET, kinds.PAYMENT)
    assert set(house.store.bucket_get("bucket").configs) >= {"tagging"}
    assert "requestPayment" not in house.store.bucket_get("bucket").configs


def test_a_bucket_has_up_to_a_thousand_of_a_kind(house: House) -> None:
    configs = Configs(house.store, house.guard)
    bucket_id = house.store.bucket_get("bucket").bucket_id
    limit = limits.NAMED_CONFIGS_MAX
    for number in range(limit):
        name = f"n{number:04}"
        house.store.config_put(bucket_id, "metrics", name, kinds.METRICS.grammar.canonical(metrics(name)), limit)
    with pytest.raises(S3Error) as caught:
        configs.put_named(house.call(), BUCKET, kinds.METRICS, "more", lambda: metrics("more"))
    assert caught.value.code == "TooManyConfigurations"
    configs.put_named(house.call(), BUCKET, kinds.METRICS, "n0000", lambda: metrics("n0000"))
    pages, after = 0, ""
    while pages == 0 or after:
        page = configs.list_named(house.call(), BUCKET, kinds.METRICS, after)
        pages, after = pages + 1, page.next_after
        assert len(page.documents) == limits.NAMED_CONFIGS_PAGE
    assert pages == limit // limits.NAMED_CONFIGS_PAGE


def test_tags_of_what_is_not_there_cannot_be_told_or_changed(house: House) -> None:
    tagging = Tagging(house.store, house.guard)
    for version, code in ((None, "NoSuchKey"), ("null", "NoSuchVersion"), ("odd", "InvalidArgument")):
        for ask in (
            lambda target: tagging.get(house.call(), target),
            lambda target: tagging.put(house.call(), target, {"a": "b"}),
            lambda target: tagging.delete(house.call(), target),
        ):
            with pytest.raises(S3Error) as caught:
                ask(Tagged("bucket", b"k", version))
            assert caught.value.code == code


def test_tags_change_nothing_else_of_a_version(house: House) -> None:
    house.put(b"k", b"data")
    tagging = Tagging(house.store, house.guard)
    before = tagging.get(house.call(), Tagged("bucket", b"k"))
    after = tagging.put(house.call(), Tagged("bucket", b"k"), {"a": "b"})
    assert replace(after.attributes, tags={}) == before.attributes
    assert (after.etag, after.seq, after.modified_ms) == (before.etag, before.seq, before.modified_ms)
    assert tagging.delete(house.call(), Tagged("bucket", b"k")).attributes.tags == {}
