"""Request heads: what is taken, what is refused, and that neither depends on how the bytes arrive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.runtime.http1.bounds import WireLimits
from app.runtime.http1.head import parse_head
from app.runtime.http1.refusal import CODES, REASONS, Refusal

LIMITS = WireLimits(head_bytes_max=2048, head_fields_max=10, target_bytes_max=512)


def head(raw, limits=LIMITS):
    return parse_head(raw, limits)


def get(*lines, target="/", version="1.1"):
    return "\r\n".join([f"GET {target} HTTP/{version}", *lines, "", ""]).encode("latin-1")


def outcome(raw, sizes):
    """What an incremental reader makes of `raw`: the head, the refusal's status, or None, and bytes seen by then."""
    seen, scanned = b"", 0
    rest = raw
    for size in [*sizes, len(raw)]:
        seen, rest = seen + rest[:size], rest[size:]
        if not seen:
            continue
        try:
            found = parse_head(seen, LIMITS, scanned=scanned)
        except Refusal as refusal:
            return refusal.status
        if found is not None:
            return found
        scanned = len(seen)
    return None


class TestValidHeads:
    def test_a_plain_request_becomes_its_parts(self):
        found = head(get("Host: h", "X-A: 1", target="/k%2F?a=b") + b"rest")
        assert (found.method, found.target, found.minor_version) == ("GET", "/k%2F?a=b", 1)
        assert found.headers == {"host": "h", "x-a": "1"}
        assert (found.length, found.chunked, found.keep_alive, found.expects) == (0, False, True, False)
        assert found.consumed == len(get("Host: h", "X-A: 1", target="/k%2F?a=b"))

    def test_repeated_fields_are_joined_in_order(self):
        assert head(get("Host: h", "A: 1", "a: 2", "A:")).headers["a"] == "1,2,"

    def test_values_keep_their_latin_bytes_and_inner_blanks(self):
        assert head(get("Host: h", "A: \t caf\xe9  au lait \t")).headers["a"] == "caf\xe9  au lait"

    @pytest.mark.parametrize(
        ("version", "connection", "expected"),
        [
            ("1.1", None, True),
            ("1.1", "close", False),
            ("1.1", "Keep-Alive", True),
            ("1.1", "upgrade, CLOSE", False),
            ("1.1", "closed", True),
            ("1.0", None, False),
            ("1.0", "Keep-Alive", True),
            ("1.0", "keep-alive, close", False),
        ],
    )
    def test_persistence_follows_version_and_connection(self, version, connection, expected):
        lines = ["Host: h"] + ([f"Connection: {connection}"] if connection else [])
        assert head(get(*lines, version=version)).keep_alive is expected

    def test_the_authority_of_an_absolute_target_replaces_host(self):
        found = head(get("Host: h", target="HTTP://Other:80/a?b"))
        assert (found.target, found.headers["host"]) == ("/a?b", "Other:80")

    @pytest.mark.parametrize(("target", "expected"), [("http://h", "/"), ("http://h?x=1", "/?x=1"), ("http://h/", "/")])
    def test_an_absolute_target_always_yields_a_path(self, target, expected):
        assert head(get("Host: h", target=target)).target == expected

    def test_an_expectation_counts_only_with_a_body_and_in_http_1_1(self):
        expecting = ["Host: h", "Expect: 100-Continue"]
        assert head(get(*expecting, "Content-Length: 1")).expects
        assert head(get(*expecting, "Transfer-Encoding: chunked")).expects
        assert not head(get(*expecting)).expects
        assert not head(get(*expecting, "Content-Length: 1", version="1.0")).expects
        for unknown in ("200-maybe", ""):
            assert not head(get("Host: h", f"Expect: {unknown}", "Content-Length: 1")).expects

    def test_the_largest_length_is_more_than_any_object(self):
        assert head(get("Host: h", "Content-Length: 9999999999999999")).length == 9999999999999999

    def test_a_head_that_the_parser_calls_incomplete_is_malformed(self):
        with pytest.raises(Refusal) as refused:
            parse_head(b"! ! \r\n\r\n", WireLimits())
        assert refused.value.status == 400

    def test_an_unfinished_head_is_no_head_yet(self):
        raw = get("Host: h", "X: y")
        assert all(head(raw[:size]) is None for size in range(1, len(raw)))


class TestBounds:
    def test_as_many_fields_as_allowed_pass_and_one_more_does_not(self):
        assert head(get("Host: h", *["X: y"] * 9))
        with pytest.raises(Refusal) as caught:
            head(get("Host: h", *["X: y"] * 10))
        assert caught.value.status == 431

    def test_a_head_of_just_the_allowed_length_passes_and_one_byte_more_does_not(self):
        room = LIMITS.head_bytes_max - len(get("Host: h", "X: "))
        assert head(get("Host: h", "X: " + "y" * room))
        with pytest.raises(Refusal) as caught:
            head(get("Host: h", "X: " + "y" * (room + 1)))
        assert caught.value.status == 431

    def test_an_endless_target_is_refused_before_its_end(self):
        with pytest.raises(Refusal) as caught:
            head(b"GET /" + b"a" * 512)
        assert caught.value.status == 414

    def test_an_endless_field_is_refused_before_its_end(self):
        with pytest.raises(Refusal) as caught:
            head(b"GET / HTTP/1.1\r\nX: " + b"a" * 2048)
        assert caught.value.status == 431

    @pytest.mark.parametrize("raw", [b"GET / HTTP/1.1\nHost", b"GET / HTTP/1.1\rHost", b"G\n"])
    def test_a_bare_line_end_is_refused_before_the_head_is_whole(self, raw):
        with pytest.raises(Refusal) as caught:
            head(raw)
        assert caught.value.status == 400

    def test_every_status_of_a_refusal_has_a_reason_and_a_code(self):
        assert REASONS.keys() == CODES.keys()


WORDS = st.sampled_from(
    [
        *("GET", "PUT", "get", " ", "  ", "/", "/a?b=c", "*", "http://h/", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "\r\n"),
        *(
            "\r\n\r\n",
            "\n",
            "\r",
            "\t",
            "\0",
            ":",
            ": ",
            "Host: h\r\n",
            "Content-Length: 5\r\n",
            "Content-Length: +5\r\n",
        ),
        *(
            "Transfer-Encoding: chunked\r\n",
            "Transfer-Encoding:",
            "chunked",
            "Expect: 100-continue\r\n",
            ",",
            "X: y\r\n",
        ),
        *("GET / HTTP/1.1\r\n", "POST /x HTTP/1.1\r\nHost: h\r\n", "\xff", "a" * 300),
    ]
)
SOUP = st.one_of(
    st.binary(max_size=400), st.lists(WORDS, max_size=20).map(lambda words: "".join(words).encode("latin-1"))
)
SIZES = st.lists(st.integers(min_value=0, max_value=40), max_size=40)


@given(SOUP)
def test_any_bytes_are_a_head_a_refusal_or_unfinished_and_never_a_crash(raw):
    found = outcome(raw, [])
    if found is None or isinstance(found, int):
        assert found in (None, *CODES)
        return
    assert raw[: found.consumed].endswith(b"\r\n\r\n")
    assert found.target.startswith("/")
    assert not (found.chunked and "content-length" in found.headers)
    assert found.length == int(found.headers.get("content-length", 0))


@given(SOUP, SIZES)
def test_the_verdict_does_not_depend_on_how_the_bytes_are_split(raw, sizes):
    whole, split = outcome(raw, []), outcome(raw, sizes)
    if isinstance(whole, int) and isinstance(split, int):
        return  # Refused either way; the first reason found may differ.
    assert whole == split


@given(st.binary(max_size=60).filter(lambda raw: b"\r" not in raw and b"\n" not in raw))
def test_a_field_value_is_passed_on_exactly_or_refused(raw):
    try:
        found = head(b"GET / HTTP/1.1\r\nHost: h\r\nX: " + raw + b"\r\n\r\n")
    except Refusal:
        assert any((byte < 32 and byte != 9) or byte == 127 for byte in raw)
    else:
        assert found.headers["x"].encode("latin-1") == raw.strip(b" \t")
