"""The WSGI environ of a request, made from a prepared one.

Knows PEP 3333 and the keys our faces look for; must not know sockets. Keys beyond WSGI: `RAW_URI` the request target
as sent; `zapfs.headers` lower-case names to values, complete; `zapfs.body` the body as app.core.body.Body;
`zapfs.spans` True: FileSpan pieces leave by sendfile.

The client's address is the socket's. No header can change it: whoever runs a proxy in front reads its header there.
"""

from typing import Any, Final
from urllib.parse import unquote_to_bytes

from app.runtime.http1.body import InputFile, WireBody
from app.runtime.http1.head import Head

Environ = dict[str, Any]
NAMES_CACHED_MAX: Final = 1024
DROPPED: Final = ""

# `Proxy` would become HTTP_PROXY, which libraries take for configuration (httpoxy).
_keys: dict[str, str] = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH", "proxy": DROPPED}


def listener_environ(prepared: Environ, local: object) -> Environ:
    """`prepared` with the address of a listener, as Python gives it."""
    environ = prepared.copy()
    environ["SERVER_NAME"], environ["SERVER_PORT"] = _address(local)
    return environ


def client_environ(prepared: Environ, remote: object) -> Environ:
    """`prepared` with the address of a client, as Python gives it."""
    environ = prepared.copy()
    environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = _address(remote)
    return environ


def request_environ(prepared: Environ, head: Head, body: WireBody) -> Environ:
    """The environ of one request; the caller owns it."""
    environ = prepared.copy()
    target = head.target
    path, _, query = target.partition("?")
    environ["REQUEST_METHOD"] = head.method
    environ["RAW_URI"] = target
    environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1") if "%" in path else path
    environ["QUERY_STRING"] = query
    environ["SERVER_PROTOCOL"] = "HTTP/1.1" if head.minor_version else "HTTP/1.0"
    environ["wsgi.input"] = InputFile(body)
    environ["zapfs.body"] = body
    environ["zapfs.headers"] = head.headers
    for name, value in head.headers.items():
        key = _keys.get(name)
        if key is None:
            key = _key(name)
        if key:
            environ[key] = value
    return environ


def _key(name: str) -> str:
    """CGI's name of a header, or DROPPED when it would collide: `a_b` and `a-b` both become HTTP_A_B."""
    key = DROPPED if "_" in name else "HTTP_" + name.upper().replace("-", "_")
    if len(_keys) < NAMES_CACHED_MAX and len(name) <= 64:
        _keys[name] = key
    return key


def _address(address: object) -> tuple[str, str]:
    if isinstance(address, tuple):
        return str(address[0]), str(address[1])
    return (address.decode("latin-1") if isinstance(address, bytes) else str(address or "")), ""
