"""Whose address a request came from."""

import pytest

from app.faces.http.peers import Peers
from app.faces.http.wire import InputBody, Request

PROXIES = Peers(["10.0.0.0/8", "::1/128"])


def origin(peers, remote, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return peers.origin(Request("GET", "/", named, InputBody(None, 0), remote, False))


def test_nobodys_word_is_taken_without_a_trusted_proxy():
    told = {"x_forwarded_for": "203.0.113.9", "x_forwarded_proto": "https"}
    assert origin(Peers(), "192.0.2.1", **told) == ("192.0.2.1", False)
    assert origin(PROXIES, "192.0.2.1", **told) == ("192.0.2.1", False)


@pytest.mark.parametrize(
    ("passed", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9, 10.1.1.1", "203.0.113.9"),
        ("10.9.9.9, 10.1.1.1", "10.9.9.9"),
        ('203.0.113.9, "junk\n', "10.0.0.7"),
        ("", "10.0.0.7"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
def test_a_trusted_proxy_names_the_client_and_the_client_names_nobody(passed, client):
    assert origin(PROXIES, "10.0.0.7", x_forwarded_for=passed)[0] == client


def test_only_a_trusted_proxy_says_that_the_way_was_secure():
    assert origin(PROXIES, "::1", x_forwarded_proto="https") == ("::1", True)
    assert origin(PROXIES, "::ffff:10.0.0.1", x_forwarded_proto="http, https") == ("::ffff:10.0.0.1", True)
    assert origin(PROXIES, "10.0.0.1", x_forwarded_proto="https, http")[1] is False
    assert origin(PROXIES, "not an address", x_forwarded_proto="https")[1] is False
