"""The skip-scan against the listing one would write without caring for cost."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import S3Error
from app.core.s3.listing import Page, Query, after_prefix, decode_token, encode_token, list_page


@dataclass(frozen=True)
class Key:
    key: bytes


class Shelf:
    """A sorted list of keys that counts what is read from it."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self.keys = sorted(set(keys))
        self.rows = 0
        self.scans = 0

    def scan(self, start: bytes, inclusive: bool, stop: bytes | None, limit: int) -> list[Key]:
        assert limit > 0
        found = [
            Key(key)
            for key in self.keys
            if (key >= start if inclusive else key > start) and (stop is None or key < stop)
        ][:limit]
        self.rows += len(found)
        self.scans += 1
        return found


def naive(keys: Sequence[bytes], query: Query) -> tuple[list[bytes], list[bytes], bool]:
    names: dict[bytes, bool] = {}
    for key in sorted(set(keys)):
        if key.startswith(query.prefix):
            at = key.find(query.delimiter, len(query.prefix)) if query.delimiter else -1
            names.setdefault(key if at < 0 else key[: at + len(query.delimiter)], at >= 0)
    listed = [(name, folded) for name, folded in names.items() if name > query.after]
    page = listed[: query.keys_max]
    truncated = 0 < query.keys_max < len(listed)
    return [name for name, folded in page if not folded], [name for name, folded in page if folded], truncated


def plain(page: Page[Key]) -> tuple[list[bytes], list[bytes], bool]:
    return [item.key for item in page.items], page.prefixes, page.is_truncated


pieces = st.sampled_from([b"a", b"b", b"/", b"//", b"\x00", b"\xff", b"\xff\xff", b"z"])
texts = st.lists(pieces, max_size=6).map(b"".join)
keys = st.lists(texts.filter(bool), max_size=40)
queries = st.builds(
    Query,
    prefix=texts,
    delimiter=st.sampled_from([b"", b"/", b"//", b"a/", b"\xff", b"\xff\xff"]),
    after=texts,
    keys_max=st.integers(0, 12),
)


@settings(max_examples=1500, deadline=None)
@given(keys, queries)
def test_a_page_is_what_a_naive_listing_gives(keys: list[bytes], query: Query) -> None:
    assert plain(list_page(Shelf(keys).scan, query)) == naive(keys, query)


@settings(max_examples=400, deadline=None)
@given(keys, queries, st.integers(1, 4))
def test_pages_put_together_by_their_last_name_are_the_whole_listing(
    keys: list[bytes], query: Query, keys_max: int
) -> None:
    items: list[bytes] = []
    prefixes: list[bytes] = []
    after = query.after
    while True:
        page = list_page(Shelf(keys).scan, Query(query.prefix, query.delimiter, after, keys_max))
        items += [item.key for item in page.items]
        prefixes += page.prefixes
        if page.last is None:
            break
        after = decode_token(encode_token(page.last))
    whole = naive(keys, Query(query.prefix, query.delimiter, query.after, 10_000))
    assert (items, prefixes, False) == whole


def test_the_cost_of_a_page_does_not_depend_on_the_keys_under_a_common_prefix() -> None:
    keys = [b"%d/%05d" % (top, number) for top in range(5) for number in range(20_000)]
    shelf = Shelf(keys)
    page = list_page(shelf.scan, Query(delimiter=b"/"))
    assert page.prefixes == [b"0/", b"1/", b"2/", b"3/", b"4/"]
    assert shelf.rows < 200
    assert shelf.scans < 12


def test_many_small_common_prefixes_are_read_in_batches() -> None:
    shelf = Shelf([b"%05d/%d" % (top, number) for top in range(1_100) for number in range(3)])
    page = list_page(shelf.scan, Query(delimiter=b"/"))
    assert len(page.prefixes) == 1_000
    assert page.last == b"00999/"
    assert shelf.scans < 12


def test_no_keys_asked_for_is_an_empty_page_that_is_not_truncated() -> None:
    assert plain(list_page(Shelf([b"a"]).scan, Query(keys_max=0))) == ([], [], False)


def test_a_marker_inside_a_common_prefix_leaves_that_prefix_out() -> None:
    page = list_page(Shelf([b"a/1", b"a/2", b"b"]).scan, Query(delimiter=b"/", after=b"a/1"))
    assert plain(page) == ([b"b"], [], False)


def test_a_prefix_that_ends_in_the_highest_byte_has_the_right_end() -> None:
    assert after_prefix(b"a\xff") == b"b"
    assert after_prefix(b"\xff\xff") is None
    page = list_page(Shelf([b"a\xff", b"a\xff\xff", b"b", b"\xff\xffx"]).scan, Query(prefix=b"a\xff"))
    assert plain(page) == ([b"a\xff", b"a\xff\xff"], [], False)
    page = list_page(Shelf([b"b", b"\xff\xffx"]).scan, Query(prefix=b"\xff\xff"))
    assert plain(page) == ([b"\xff\xffx"], [], False)


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=1024))
def test_a_token_comes_back_as_the_name_it_was_made_of(name: bytes) -> None:
    assert decode_token(encode_token(name)) == name


@pytest.mark.parametrize(
    "token",
    ["", "x", "AAAA", "é", "a b", "====", encode_token(b"k")[:-2], encode_token(b"k" * 1024) + "AAAA", "A" * 4096],
)
def test_garbage_in_place_of_a_token_is_an_invalid_argument(token: str) -> None:
    with pytest.raises(S3Error) as caught:
        decode_token(token)
    assert caught.value.code == "InvalidArgument"
