"""Who has the cluster's secret gets in, at both ends of a socket, and nobody else."""

import socket
import ssl
import threading

import pytest

from app.adapters.cluster import tls
from app.core.auth.cluster_secret import derive

SECRET, OTHER = bytes(32), bytes(31) + b"\x01"


def talked(server_secret: bytes, client_secret: bytes | None) -> bytes:
    """What the server says to a client; raises what the client meets."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        context = tls.socket_context(tls.identity(server_secret, "manager-1"), server=True)
        try:
            with context.wrap_socket(ours, server_side=True) as wrapped:
                wrapped.sendall(b"welcome" if wrapped.recv(2) == b"hi" else b"")
        except OSError:
            ours.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        if client_secret is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        else:
            context = tls.socket_context(tls.identity(client_secret, "manager-2"), server=False)
        with context.wrap_socket(theirs) as wrapped:
            wrapped.sendall(b"hi")
            return wrapped.recv(100)
    finally:
        theirs.close()
        thread.join(10)


def test_two_processes_of_one_secret_talk_though_they_share_no_certificate():
    assert talked(SECRET, SECRET) == b"welcome"


def test_a_peer_of_another_secret_is_refused_by_the_client():
    with pytest.raises(ssl.SSLCertVerificationError):
        talked(SECRET, OTHER)


def test_a_client_without_a_certificate_learns_nothing():
    with pytest.raises(OSError, match=r"(?i)certificate|reset|closed|EOF|broken"):
        assert talked(SECRET, None) == b"welcome"


def test_the_certificate_bears_the_name_of_its_node_and_another_key_each_time():
    one, two = tls.identity(SECRET, "file-7"), tls.identity(SECRET, "file-7")
    assert one.key != two.key
    assert b"file-7" in tls.x509.load_pem_x509_certificate(one.certificate).subject.public_bytes()


def test_no_clock_makes_a_certificate_invalid():
    found = tls.x509.load_pem_x509_certificate(tls.identity(SECRET, "n").certificate)
    assert (found.not_valid_before_utc.year, found.not_valid_after_utc.year) == (2000, 9999)


def test_a_key_for_one_purpose_is_not_that_for_another():
    assert len({derive(SECRET, "a"), derive(SECRET, "b"), derive(OTHER, "a")}) == 3
    assert derive(SECRET, "a") == derive(SECRET, "a")
    assert len(derive(SECRET, "a")) == 32
