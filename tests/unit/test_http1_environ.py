"""The WSGI environ: CGI's names, the raw target, and what must not get in."""

from wsgiref.validate import check_environ

import pytest

from app.runtime.http1.body import EMPTY
from app.runtime.http1.bounds import WireLimits
from app.runtime.http1.environ import client_environ, listener_environ, request_environ
from app.runtime.http1.head import parse_head

PREPARED = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}


def environ(target="/", *lines):
    raw = "\r\n".join([f"PUT {target} HTTP/1.1", "Host: h", *lines, "", ""]).encode("latin-1")
    prepared = client_environ(listener_environ(PREPARED, ("127.0.0.1", 8082)), ("10.0.0.7", 4711))
    return request_environ(prepared, parse_head(raw, WireLimits()), EMPTY)


def test_it_satisfies_the_validator_of_the_standard_library():
    import io

    check_environ(environ("/a?b", "Content-Type: text/x") | {"wsgi.errors": io.StringIO()})


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/a/b", "/a/b", ""),
        ("/a%2Fb%00?c=%20", "/a/b\0", "c=%20"),
        ("/%C3%A4??", "/\xc3\xa4", "?"),
        ("/%zz", "/%zz", ""),
    ],
)
def test_the_path_is_unescaped_and_the_raw_target_kept(target, path, query):
    made = environ(target)
    assert (made["PATH_INFO"], made["QUERY_STRING"], made["RAW_URI"]) == (path, query, target)


def test_headers_get_their_cgi_names():
    made = environ("/", "Content-Type: a/b", "Content-Length: 0", "x-amz-date: now")
    assert (made["CONTENT_TYPE"], made["CONTENT_LENGTH"], made["HTTP_X_AMZ_DATE"]) == ("a/b", "0", "now")
    assert "HTTP_CONTENT_TYPE" not in made


def test_names_that_would_collide_or_configure_libraries_stay_out_of_cgi_but_in_the_headers():
    made = environ("/", "X_A: evil", "X-A: good", "Proxy: http://evil", "Content_Length: 5")
    assert (made["HTTP_X_A"], made.get("HTTP_PROXY"), made.get("CONTENT_LENGTH")) == ("good", None, None)
    assert made["zapfs.headers"] == {
        "host": "h",
        "x_a": "evil",
        "x-a": "good",
        "proxy": "http://evil",
        "content_length": "5",
    }


def test_addresses_are_the_socket_s():
    made = environ("/", "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https")
    assert (made["REMOTE_ADDR"], made["REMOTE_PORT"]) == ("10.0.0.7", "4711")
    assert (made["SERVER_NAME"], made["SERVER_PORT"], made["wsgi.url_scheme"]) == ("127.0.0.1", "8082", "http")


def test_a_unix_socket_has_no_client_address():
    made = client_environ(listener_environ(PREPARED, "/run/zapfs.sock"), "")
    assert (made["SERVER_NAME"], made["SERVER_PORT"], made["REMOTE_ADDR"]) == ("/run/zapfs.sock", "", "")


def test_one_request_leaves_nothing_in_the_next():
    assert "HTTP_X_A" in environ("/", "X-A: 1")
    assert "HTTP_X_A" not in environ("/")
