"""A request head: bytes in, a validated value out.

Knows the grammar of RFC 9112 and every way of framing a request twice; must not know sockets, WSGI or S3. The C parser
does the splitting; what it lets pass and two servers could read differently is refused here. Line ends are CRLF and
nothing else: a bare LF or CR, which RFC 9112 section 2.2 lets a server forgive, is where smuggling starts.
"""

import re
from dataclasses import dataclass
from typing import Final

from gunicorn_h1c import InvalidHTTPVersion, LimitRequestHeaders, LimitRequestLine, parse_request_fast
from gunicorn_h1c._parser_fast import IncompleteError  # the package's own of this name is another parser's

from app.runtime.http1.bounds import WireLimits
from app.runtime.http1.refusal import Refusal

NAMES_CACHED_MAX: Final = 1024
LENGTH_DIGITS_MAX: Final = 16
"""More digits than the largest object has; a longer number overflows somewhere on the way."""

_HOST = re.compile(r"[A-Za-z0-9._~%!$&'()*+;=:\[\]-]+")
_ABSOLUTE = re.compile(r"https?://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_LINE_OVERHEAD = len(" ") + len(" HTTP/1.1")
_lower_names: dict[bytes, str] = {}


@dataclass(slots=True)
class Head:
    """One request head.

    `target`: origin form, as sent (latin-1), with the authority of an absolute form moved into `headers["host"]`.
    `headers`: lower-case names, latin-1 values, repeated fields joined by ",". `length`: Content-Length, 0 without
    one. `keep_alive`: what the client asked for. `expects`: it waits for 100 Continue. `consumed`: bytes of the head.
    """

    method: str
    target: str
    minor_version: int
    headers: dict[str, str]
    length: int
    chunked: bool
    keep_alive: bool
    expects: bool
    consumed: int


def parse_head(data: bytes, limits: WireLimits, *, scanned: int = 0) -> Head | None:
    """The head at the start of `data`, or None while its end is not there yet.

    `scanned`: bytes of `data` an earlier call has seen, so that a head that comes byte by byte costs no square. Raises
    Refusal as soon as the bytes can no longer become a request within `limits`.
    """
    end = data.find(b"\r\n\r\n", max(0, scanned - 3), limits.head_bytes_max)
    if end < 0:
        _refuse_hopeless(data, limits, scanned)
        return None
    consumed = end + 4
    _check_lines(data[:consumed], limits)
    parsed = _split(data[:consumed], limits)
    method, target, version = parsed.method, parsed.path, parsed.minor_version
    if parsed.consumed != consumed or data.find(b"\r\n") != len(method) + len(target) + _LINE_OVERHEAD:
        raise Refusal(400, "The request line is malformed.")
    if not target.isascii():
        raise Refusal(400, "The request target must be percent-encoded.")
    headers = _headers(parsed.headers)
    length, chunked = _framing(headers, version)
    text = target.decode("latin-1")
    if text[0] != "/" or "#" in text:
        text = _origin_form(text, headers)
    _check_host(headers, version)
    return Head(
        method=method.decode("latin-1"),
        target=text,
        minor_version=version,
        headers=headers,
        length=length,
        chunked=chunked,
        keep_alive=_keep_alive(headers.get("connection"), version),
        expects=_expects(headers, version, chunked or length > 0),
        consumed=consumed,
    )


def _refuse_hopeless(data: bytes, limits: WireLimits, scanned: int) -> None:
    """Refuse an unfinished head that no further byte can mend."""
    line_end = data.find(b"\r\n", 0, limits.target_bytes_max)
    if line_end < 0 and len(data) > limits.target_bytes_max:
        raise Refusal(414, "The request target is too long.")
    if len(data) >= limits.head_bytes_max:
        raise Refusal(431, "The request head is too long.")
    # A CR at the very end may still get its LF, so the next look begins with it.
    fresh = data[scanned - 1 :] if data[max(0, scanned - 1) : scanned] == b"\r" else data[scanned:]
    crlf = fresh.count(b"\r\n")
    bare_cr = fresh.count(b"\r") - crlf - fresh.endswith(b"\r")
    if fresh.count(b"\n") != crlf or bare_cr:
        raise Refusal(400, "Lines must end in CRLF.")


def _check_lines(head: bytes, limits: WireLimits) -> None:
    crlf = head.count(b"\r\n")
    if head.count(b"\n") != crlf or head.count(b"\r") != crlf:
        raise Refusal(400, "Lines must end in CRLF.")
    if crlf - 2 > limits.head_fields_max:
        raise Refusal(431, "The request has too many header fields.")


def _split(head: bytes, limits: WireLimits):  # type: ignore[no-untyped-def]  # the C extension has no types
    """What the C parser makes of the head: method, target, version and pairs of bytes; its verdicts as refusals."""
    try:
        return parse_request_fast(
            head,
            limit_request_line=limits.target_bytes_max + 32,
            limit_request_fields=limits.head_fields_max,
            limit_request_field_size=limits.head_bytes_max,
        )
    except LimitRequestLine:
        raise Refusal(414, "The request target is too long.") from None
    except LimitRequestHeaders:
        raise Refusal(431, "The request has too many header fields.") from None
    except InvalidHTTPVersion:
        raise Refusal(505, "Only HTTP/1.0 and HTTP/1.1 are spoken here.") from None
    except (IncompleteError, ValueError):
        # Incomplete although its end was seen: the head starts with an empty line, or worse.
        raise Refusal(400, "The request head is malformed.") from None


def _headers(pairs: tuple[tuple[bytes, bytes], ...]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name = _lower_names.get(raw_name) or _lower(raw_name)
        value = raw_value.decode("latin-1")
        if name in headers:
            value = f"{headers[name]},{value}"
        headers[name] = value
    return headers


def _lower(raw_name: bytes) -> str:
    if not raw_name:
        raise Refusal(400, "Header fields must not be folded.")
    name = raw_name.decode("latin-1").lower()
    if len(_lower_names) < NAMES_CACHED_MAX and len(raw_name) <= 64:
        _lower_names[raw_name] = name
    return name


def _framing(headers: dict[str, str], version: int) -> tuple[int, bool]:
    """(length, chunked). RFC 9112 section 6.3; whatever two readers could disagree on is refused."""
    coding = headers.get("transfer-encoding")
    declared = headers.get("content-length")
    if coding is not None:
        if declared is not None:
            raise Refusal(400, "Content-Length and Transfer-Encoding exclude each other.")
        if version == 0:
            raise Refusal(400, "HTTP/1.0 knows no Transfer-Encoding.")
        if coding.lower() != "chunked":
            raise Refusal(501, "The only transfer coding understood is chunked.")
        return 0, True
    if declared is None:
        return 0, False
    if not (declared.isascii() and declared.isdigit() and len(declared) <= LENGTH_DIGITS_MAX):
        raise Refusal(400, "Content-Length is malformed.")
    return int(declared), False


def _origin_form(target: str, headers: dict[str, str]) -> str:
    """The origin form of an absolute one, whose authority replaces Host (RFC 9112 section 3.2.2)."""
    match = _ABSOLUTE.fullmatch(target)
    if match is None or "#" in target:
        raise Refusal(400, "The request target must be a path or an http URI.")
    headers["host"] = match[1]
    rest = match[2]
    return rest if rest.startswith("/") else f"/{rest}"


def _check_host(headers: dict[str, str], version: int) -> None:
    host = headers.get("host")
    if host is None:
        if version == 1:
            raise Refusal(400, "HTTP/1.1 requires a Host header.")
    elif _HOST.fullmatch(host) is None:
        raise Refusal(400, "The Host header is malformed.")


def _keep_alive(connection: str | None, version: int) -> bool:
    if connection is None:
        return version == 1
    options = {option.strip() for option in connection.lower().split(",")}
    return "close" not in options and (version == 1 or "keep-alive" in options)


def _expects(headers: dict[str, str], version: int, has_body: bool) -> bool:
    """RFC 9110 section 10.1.1: an HTTP/1.0 client's expectation is ignored; so is an unknown one, as S3 does."""
    return has_body and version == 1 and headers.get("expect", "").lower() == "100-continue"
