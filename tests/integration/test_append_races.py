"""Writers that append to one object while others rename it: every acknowledged byte is somewhere, once."""

import re
import threading
from collections.abc import Callable

import pytest

from tests.integration.server import Server
from tests.wire.connection import RawClient

APPENDERS = 4
APPENDS = 60
RENAMES = 12
_OFFSET = "x-amz-write-offset-bytes"


def append(raw: RawClient, who: int, acknowledged: list[bytes]) -> None:
    """Lines that no other appender writes, each at the end as it is known here."""
    with raw.connect(60) as connection:
        size = 0
        for number in range(APPENDS):
            line = b"%d/%d\n" % (who, number)
            answer = raw.on(connection, "PUT", "/log/now", line, {_OFFSET: str(size)})
            if answer.status == 200:
                acknowledged.append(line)
                size += len(line)
            else:
                assert answer.status in (400, 503), answer.body
                there = raw.on(connection, "HEAD", "/log/now")
                size = int(there.headers["content-length"]) if there.status == 200 else 0


def rename(raw: RawClient) -> None:
    with raw.connect(60) as connection:
        for number in range(RENAMES):
            where = {"x-amz-rename-source": "/log/now"}
            answer = raw.on(connection, "PUT", f"/log/kept-{number}?renameObject", b"", where)
            assert answer.status in (200, 404, 503), answer.body


@pytest.mark.slow
def test_what_is_appended_while_an_object_is_renamed_is_never_lost(own_server: Callable[..., Server]) -> None:
    raw = own_server(workers=2).raw()
    assert raw.call("PUT", "/log").status == 200
    acknowledged: list[bytes] = []
    threads = [threading.Thread(target=append, args=(raw, who, acknowledged), daemon=True) for who in range(APPENDERS)]
    threads.append(threading.Thread(target=rename, args=(raw,), daemon=True))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    keys = re.findall(r"<Key>([^<]+)</Key>", raw.call("GET", "/log?list-type=2").body.decode())
    found = b"".join(raw.call("GET", f"/log/{key}").body for key in keys).splitlines(keepends=True)
    assert sorted(found) == sorted(acknowledged)
    assert len(acknowledged) > APPENDS
