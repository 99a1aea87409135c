"""Raw requests that two servers could read differently, and what must come of each.

REFUSED: (name, status, bytes): one answer, then the end of the connection. SAFE: (name, statuses, bytes): exactly these
answers; nothing inside a body is ever taken for a request.
"""

from tests.integration.wire import request

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
NEXT = request("/ignore")
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def post(headers: bytes, body: bytes = SMUGGLED) -> bytes:
    return request("/echo", "POST", headers, body)


def chunks(body: bytes) -> bytes:
    return post(CHUNKED, body)


def coding(value: bytes) -> bytes:
    return post(b"Transfer-Encoding: " + value + b"\r\n", b"0\r\n\r\n" + SMUGGLED)


def length(value: bytes) -> bytes:
    return post(b"Content-Length: " + value + b"\r\n", b"hello" + SMUGGLED)


def line(first: bytes) -> bytes:
    return first + b"\r\nHost: h\r\n\r\n" + SMUGGLED


REFUSED: list[tuple[str, int, bytes]] = [
    # --- both framings
    ("length then coding", 400, post(b"Content-Length: 5\r\n" + CHUNKED, b"0\r\n\r\n" + SMUGGLED)),
    ("coding then length", 400, post(CHUNKED + b"Content-Length: 5\r\n", b"0\r\n\r\n" + SMUGGLED)),
    ("zero length and coding", 400, post(CHUNKED + b"Content-Length: 0\r\n", b"0\r\n\r\n" + SMUGGLED)),
    ("length and identity", 400, post(b"Content-Length: 5\r\nTransfer-Encoding: identity\r\n", b"hello" + SMUGGLED)),
    ("length and empty coding", 400, post(b"Content-Length: 5\r\nTransfer-Encoding:\r\n", b"hello" + SMUGGLED)),
    # --- transfer codings
    ("coding twice", 400, post(CHUNKED + CHUNKED, b"0\r\n\r\n" + SMUGGLED)),
    ("coding twice, one unknown", 400, post(CHUNKED + b"Transfer-Encoding: x\r\n", b"0\r\n\r\n" + SMUGGLED)),
    ("coding chunked, chunked", 400, coding(b"chunked, chunked")),
    ("coding chunked, identity", 400, coding(b"chunked, identity")),
    ("coding identity, chunked", 501, coding(b"identity, chunked")),
    ("coding gzip, chunked", 501, coding(b"gzip, chunked")),
    ("coding identity", 501, coding(b"identity")),
    ("coding empty", 501, coding(b"")),
    ("coding comma", 501, coding(b",")),
    ("coding chunked with a comma", 501, coding(b"chunked,")),
    ("coding xchunked", 400, coding(b"xchunked")),
    ("coding chunk", 400, coding(b"chunk")),
    ("coding with vertical tab before", 400, coding(b"\x0bchunked")),
    ("coding with vertical tab behind", 400, coding(b"chunked\x0b")),
    ("coding with a NUL", 400, coding(b"chunked\x00")),
    ("coding with a parameter", 400, coding(b"chunked;q=1")),
    ("coding in quotes", 400, coding(b'"chunked"')),
    ("coding in Latin", 400, coding(b"chunked\xa0")),
    ("coding folded", 400, post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n" + SMUGGLED)),
    ("coding behind a fold", 400, post(b"X: y\r\n Transfer-Encoding: chunked\r\n")),
    ("coding behind a tab fold", 400, post(b"X: y\r\n\tTransfer-Encoding: chunked\r\n")),
    ("coding with blank before colon", 400, post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n")),
    ("coding with tab before colon", 400, post(b"Transfer-Encoding\t: chunked\r\n", b"0\r\n\r\n")),
    ("coding behind a bare LF", 400, post(b"X: y\nTransfer-Encoding: chunked\r\n")),
    ("coding behind a bare CR", 400, post(b"X: y\rTransfer-Encoding: chunked\r\n")),
    ("coding in HTTP/1.0", 400, b"POST /echo HTTP/1.0\r\nHost: h\r\n" + CHUNKED + b"\r\n0\r\n\r\n" + SMUGGLED),
    # --- lengths
    *[
        (f"length {value!r}", 400, length(value))
        for value in (
            *(b"+5", b"-5", b"5,5", b"5, 5", b"5 5", b"0x5", b"5.0", b"1e1", b"", b"five", b'"5"', b"5;", b"5_0"),
            *(b"\xb2", b"\xd9\xa5", b"99999999999999999999", b"18446744073709551621", b"00000000000000005", b"5\x0b"),
        )
    ],
    ("length twice, equal", 400, post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello" + SMUGGLED)),
    ("length twice, different", 400, post(b"Content-Length: 5\r\ncontent-length: 0\r\n", b"hello" + SMUGGLED)),
    ("length with blank before colon", 400, post(b"Content-Length : 5\r\n", b"hello" + SMUGGLED)),
    ("length folded", 400, post(b"Content-Length:\r\n 5\r\n", b"hello" + SMUGGLED)),
    # --- fields
    ("NUL in a value", 400, post(b"X: a\x00b\r\n")),
    ("NUL in a name", 400, post(b"X\x00: a\r\n")),
    ("control character in a value", 400, post(b"X: a\x01\r\n")),
    ("DEL in a value", 400, post(b"X: a\x7f\r\n")),
    ("blank in a name", 400, post(b"X Y: a\r\n")),
    ("Latin in a name", 400, post(b"X\xe9: a\r\n")),
    ("empty name", 400, post(b": a\r\n")),
    ("no colon", 400, post(b"nothing\r\n")),
    ("leading blank in the first field", 400, b"GET /echo HTTP/1.1\r\n Host: h\r\n\r\n" + SMUGGLED),
    ("LF only", 400, b"GET /echo HTTP/1.1\nHost: h\n\n" + SMUGGLED),
    ("head ended by bare LF", 400, b"GET /echo HTTP/1.1\r\nHost: h\r\n\n" + SMUGGLED),
    ("CR CR LF", 400, b"GET /echo HTTP/1.1\r\nHost: h\r\r\n\r\n" + SMUGGLED),
    # --- hosts
    ("no host", 400, b"GET /echo HTTP/1.1\r\n\r\n" + SMUGGLED),
    ("two hosts", 400, request("/echo", headers=b"Host: h\r\n") + SMUGGLED),
    *[
        (f"host {value!r}", 400, b"GET /echo HTTP/1.1\r\nHost: " + value + b"\r\n\r\n" + SMUGGLED)
        for value in (b"", b"a b", b"a/b", b"u@h", b"a,b", b"h\xe9", b"a\\b", b"h?x", b"h#x")
    ],
    # --- request lines
    ("two blanks before the target", 400, line(b"GET  /echo HTTP/1.1")),
    ("two blanks behind the target", 400, line(b"GET /echo  HTTP/1.1")),
    ("blank behind the version", 400, line(b"GET /echo HTTP/1.1 ")),
    ("tab before the target", 400, line(b"GET\t/echo HTTP/1.1")),
    ("leading blank", 400, line(b" GET /echo HTTP/1.1")),
    ("HTTP/0.9", 400, line(b"GET /echo")),
    ("HTTP/1.2", 505, line(b"GET /echo HTTP/1.2")),
    ("HTTP/2.0", 505, line(b"GET /echo HTTP/2.0")),
    ("HTTP/1.10", 400, line(b"GET /echo HTTP/1.10")),
    ("another protocol", 505, line(b"GET /echo ICY/1.1")),
    ("the preface of HTTP/2", 505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("a TLS hello", 400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    ("method in lower case", 400, line(b"get /echo HTTP/1.1")),
    ("NUL in the target", 400, line(b"GET /ec\x00ho HTTP/1.1")),
    ("Latin in the target", 400, line(b"GET /\xe9cho HTTP/1.1")),
    ("fragment in the target", 400, line(b"GET /echo#f HTTP/1.1")),
    ("asterisk form", 400, line(b"OPTIONS * HTTP/1.1")),
    ("authority form", 400, line(b"CONNECT h:80 HTTP/1.1")),
    ("relative target", 400, line(b"GET echo HTTP/1.1")),
    ("user in the target", 400, line(b"GET http://u@h/echo HTTP/1.1")),
    ("target of another scheme", 400, line(b"GET ftp://h/echo HTTP/1.1")),
    ("absolute target without host", 400, line(b"GET http:///echo HTTP/1.1")),
    ("two empty lines first", 400, b"\r\n\r\n" + NEXT),
    # --- bounds
    ("too many fields", 431, request("/echo", headers=b"X: y\r\n" * 21)),
    ("head too long", 431, request("/echo", headers=b"X: " + b"y" * 4096 + b"\r\n")),
    ("target too long", 414, request("/" + "a" * 1100)),
    ("endless target", 414, b"GET /" + b"a" * 2000),
    # --- chunks
    *[
        (f"chunk size {value!r}", 400, chunks(value + b"\r\nhello\r\n0\r\n\r\n" + SMUGGLED))
        for value in (
            *(b"-5", b"+5", b"0x5", b" 5", b"5 ", b"5\t", b"", b"G", b"5,", b"5.0", b"\xb2", b"5\x00", b"5\x0b"),
            *(b"0000000000000005", b"FFFFFFFFFFFFFFFFF", b"5\r", b"5;a\rb", b"5;a\x00", b"5;" + b"e" * 70),
        )
    ],
    ("chunk size ended by LF", 400, chunks(b"5\nhello\r\n0\r\n\r\n" + SMUGGLED)),
    ("chunk extension hiding an LF", 400, chunks(b"5;\nxx\r\nhello\r\n0\r\n\r\n" + SMUGGLED)),
    ("chunk without its CRLF", 400, chunks(b"5\r\nhello0\r\n\r\n" + SMUGGLED)),
    ("chunk ended by LF", 400, chunks(b"5\r\nhello\n0\r\n\r\n" + SMUGGLED)),
    ("chunk ended by CR", 400, chunks(b"5\r\nhello\r0\r\n\r\n" + SMUGGLED)),
    ("chunk longer than said", 400, chunks(b"3\r\nhello\r\n0\r\n\r\n" + SMUGGLED)),
    ("chunk shorter than said", 400, chunks(b"6\r\nhello\r\n0\r\n\r\n" + SMUGGLED)),
    ("last chunk ended by LF", 400, chunks(b"5\r\nhello\r\n0\n\n" + SMUGGLED)),
    ("trailers ended by LF", 400, chunks(b"5\r\nhello\r\n0\r\n\n" + SMUGGLED)),
    ("trailer without colon", 400, chunks(b"0\r\nnothing\r\n\r\n" + SMUGGLED)),
    ("trailer folded", 400, chunks(b"0\r\nA: b\r\n c\r\n\r\n" + SMUGGLED)),
    ("trailer with a NUL", 400, chunks(b"0\r\nA: b\x00\r\n\r\n" + SMUGGLED)),
    ("trailer of framing", 400, chunks(b"0\r\nContent-Length: 5\r\n\r\n" + SMUGGLED)),
    ("trailer of coding", 400, chunks(b"0\r\nTransfer-Encoding: chunked\r\n\r\n" + SMUGGLED)),
    ("trailer twice", 400, chunks(b"0\r\nA: b\r\na: c\r\n\r\n" + SMUGGLED)),
    ("trailers too long", 400, chunks(b"0\r\n" + b"".join(b"A%d: bcdefghijklmnopqrst\r\n" % n for n in range(20)))),
]

SAFE: list[tuple[str, list[int], bytes]] = [
    ("a request inside a body", [200, 200], post(b"Content-Length: %d\r\n" % len(SMUGGLED)) + NEXT),
    ("a request inside a chunk", [200, 200], chunks(b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)) + NEXT),
    (
        "a request inside a body nobody reads",
        [200, 200],
        request("/ignore", "POST", b"Content-Length: %d\r\n" % len(SMUGGLED), SMUGGLED) + NEXT,
    ),
    (
        "a request inside a chunk nobody reads",
        [200, 200],
        request("/ignore", "POST", CHUNKED, b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)) + NEXT,
    ),
    ("broken chunks nobody reads", [200], request("/ignore", "POST", CHUNKED, b"-1\r\n\r\n" + SMUGGLED)),
    ("a body behind GET", [200, 200], request("/echo", "GET", b"Content-Length: 5\r\n", b"hello") + NEXT),
    ("zero length", [200, 200], post(b"Content-Length: 0\r\n", b"") + NEXT),
    ("leading zeros in a length", [200, 200], post(b"Content-Length: 005\r\n", b"hello") + NEXT),
    ("coding in capitals", [200, 200], post(b"TRANSFER-ENCODING: ChUnKeD\r\n", b"0\r\n\r\n") + NEXT),
    ("coding among blanks", [200, 200], post(b"Transfer-Encoding:\t chunked \t\r\n", b"0\r\n\r\n") + NEXT),
    (
        "a field like the coding",
        [200, 200],
        post(b"Transfer_Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n") + NEXT,
    ),
    ("a field like the length", [200, 200], post(b"Content_Length: 100\r\nX-Content-Length: 9\r\n", b"") + NEXT),
    ("chunk size with leading zeros", [200, 200], chunks(b"0005\r\nhello\r\n000\r\n\r\n") + NEXT),
    ("chunk extension", [200, 200], chunks(b'5;a="b;c"\r\nhello\r\n0 ;x\r\n\r\n') + NEXT),
    ("capital hexadecimals", [200, 200], chunks(b"A\r\nhellohello\r\n0\r\n\r\n") + NEXT),
    ("trailers", [200, 200], chunks(b"0\r\nx-amz-checksum-crc32: AAAAAA==\r\nB:\r\n\r\n") + NEXT),
    ("one empty line first", [200, 200], b"\r\n" + NEXT + b"\r\n" + NEXT),
    ("absolute target", [200, 200], b"GET http://other/ignore?x=1 HTTP/1.1\r\nHost: h\r\n\r\n" + NEXT),
    ("nothing behind a close", [200], request("/ignore", headers=b"Connection: close\r\n") + SMUGGLED),
    ("close in a list", [200], request("/ignore", headers=b"Connection: x, Close\r\n") + SMUGGLED),
    ("HTTP/1.0 closes", [200], b"GET /ignore HTTP/1.0\r\n\r\n" + SMUGGLED),
    ("HTTP/1.0 keeps alive", [200, 200], b"GET /ignore HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + NEXT),
    (
        "upgrade is not followed",
        [200, 200],
        request("/ignore", headers=b"Connection: upgrade\r\nUpgrade: h2c\r\n") + NEXT,
    ),
    ("a body beyond the drain", [200], request("/ignore", "POST", b"Content-Length: 999999\r\n", SMUGGLED)),
    (
        "an expectation nobody met",
        [200],
        request("/ignore", "PUT", b"Expect: 100-continue\r\nContent-Length: 50\r\n") + SMUGGLED,
    ),
    ("a broken answer", [500], request("/fail") + SMUGGLED),
    ("more than promised", [200], request("/long") + SMUGGLED),
]
