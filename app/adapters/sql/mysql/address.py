"""Where the database is, out of its URL. Knows the URL's form; must not connect."""

from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

PORT = 3306


@dataclass(frozen=True, slots=True)
class Address:
    """A database and who asks for it. Its text never shows the password."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    socket: str = ""

    def __str__(self) -> str:
        where = self.socket or f"{self.host}:{self.port}"
        return f"{where}/{self.database}"


def address_of(url: str) -> Address:
    """From mysql://USER:PASSWORD@HOST:PORT/NAME[?socket=PATH], user and password percent-encoded. ValueError when it
    is something else; its text holds nothing of the URL, which has a password in it."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORT
    except ValueError:
        raise ValueError("the database URL is not mysql://USER:PASSWORD@HOST:PORT/NAME") from None
    if parts.scheme != "mysql" or not parts.hostname or not parts.username or not parts.path.strip("/"):
        raise ValueError("the database URL is not mysql://USER:PASSWORD@HOST:PORT/NAME")
    socket = parse_qs(parts.query).get("socket", [""])[-1]
    return Address(
        parts.hostname, port, unquote(parts.username), unquote(parts.password or ""), parts.path.strip("/"), socket
    )
