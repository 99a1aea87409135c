"""Where the database is, out of its URL. Knows the URL's form; must not connect."""

from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

PORT = 3306


@dataclass(frozen=True, slots=True)
class Address:
    """A database and who asks for it. Its text never shows the password. `ca`: a file of certificates (PEM), one of
    which must have signed the server's; "" trusts the network."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    socket: str = ""
    ca: str = ""

    def __str__(self) -> str:
        where = self.socket or f"{self.host}:{self.port}"
        return f"{where}/{self.database}"


def address_of(url: str) -> Address:
    """From mysql://USER:PASSWORD@HOST:PORT/NAME[?socket=PATH][&ca=PATH], user and password percent-encoded. ValueError
    when it is something else; its text holds nothing of the URL, which has a password in it."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORT
    except ValueError:
        raise ValueError("the database URL is not mysql://USER:PASSWORD@HOST:PORT/NAME") from None
    if parts.scheme != "mysql" or not parts.hostname or not parts.username or not parts.path.strip("/"):
        raise ValueError("the database URL is not mysql://USER:PASSWORD@HOST:PORT/NAME")
    given = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    if not given.keys() <= {"socket", "ca"} or "" in given.values():
        raise ValueError("the database URL has no parameters but socket and ca, each with a path")
    user, password = unquote(parts.username), unquote(parts.password or "")
    return Address(parts.hostname, port, user, password, parts.path.strip("/"), **given)
