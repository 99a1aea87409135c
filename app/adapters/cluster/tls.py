"""Mutual TLS between the processes of a cluster, from nothing but its secret.

Knows certificates and what gRPC and sockets want of them. Must not know who connects to whom. The authority's key is
derived from the secret; whoever has the secret can make a certificate, and nobody else. Each process makes its own, in
memory. It bears no real dates: with the key gone when the process ends an end date would protect nothing, and would
make every node's clock one more thing that can stop the cluster.
"""

import datetime
import os
import ssl
from dataclasses import dataclass, field
from typing import Final

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.core.auth.cluster_secret import derive

NAME: Final = "zapfs.internal"
"""What every certificate is for: peers are members of the cluster or not; which one is in the subject."""
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256 (FIPS 186-4, D.1.2.3)
_BEGIN: Final = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
_END: Final = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)  # RFC 5280, 4.1.2.5: no expiration


@dataclass(frozen=True, slots=True)
class Identity:
    """PEM: this process's key, its certificate, and the authority that signed it and signs every peer's."""

    key: bytes = field(repr=False)
    certificate: bytes
    authority: bytes


def identity(secret: bytes, node_id: str) -> Identity:
    """A fresh certificate of `node_id` under the authority of `secret` (32 bytes)."""
    ca_key = _authority_key(secret)
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "zapfs cluster")])
    authority = _certificate(ca_name, ca_name, ca_key.public_key(), ca_key, x509.BasicConstraints(True, 0))
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, node_id)])
    own = _certificate(name, ca_name, key.public_key(), ca_key, x509.BasicConstraints(False, None))
    pem = serialization.Encoding.PEM
    form, open_ = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return Identity(key.private_bytes(pem, form, open_), own.public_bytes(pem), authority.public_bytes(pem))


def server_credentials(own: Identity) -> grpc.ServerCredentials:
    """For a gRPC server: only members of the cluster get in."""
    return grpc.ssl_server_credentials([(own.key, own.certificate)], own.authority, require_client_auth=True)


def channel_credentials(own: Identity) -> grpc.ChannelCredentials:
    """For a gRPC channel, together with CHANNEL_OPTIONS."""
    return grpc.ssl_channel_credentials(own.authority, own.key, own.certificate)


CHANNEL_OPTIONS: Final = (("grpc.ssl_target_name_override", NAME),)


def socket_context(own: Identity, *, server: bool) -> ssl.SSLContext:
    """For sockets of ours, at either end; the other end must be a member too. TLS 1.3 only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=own.authority.decode())
    # The library takes a key from files only; this one is in memory and has no name.
    fd = os.memfd_create("zapfs-key", os.MFD_CLOEXEC)
    try:
        os.write(fd, own.key + own.certificate)
        context.load_cert_chain(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)
    return context


def _authority_key(secret: bytes) -> ec.EllipticCurvePrivateKey:
    number = int.from_bytes(derive(secret, "tls authority"), "big")
    return ec.derive_private_key(number % (_ORDER - 1) + 1, ec.SECP256R1())


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    constraints: x509.BasicConstraints,
) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_BEGIN)
        .not_valid_after(_END)
        .add_extension(constraints, critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(signer, hashes.SHA256())
    )
