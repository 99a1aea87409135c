"""MariaDB over TLS: a server that cannot prove to be the one the URL means is refused."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.adapters.sql.mysql import server
from app.adapters.sql.mysql.address import address_of
from app.adapters.sql.mysql.store import MysqlStore
from app.core.errors import Unavailable
from tests import mariadb
from tests.contract.metadata import BUCKET, bucket, inline


@pytest.fixture(scope="module")
def encrypting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mariadb.Mariadb]:
    """A server of its own whose certificate, its own authority, is for localhost."""
    directory = tmp_path_factory.mktemp("tls")
    certify(directory, "good", "localhost")
    made = mariadb.Mariadb(f"--ssl-cert={directory}/good.pem", f"--ssl-key={directory}/good.key")
    made.start()
    made.make()
    yield made
    made.end()


def certify(directory: Path, name: str, host: str) -> Path:
    """A certificate for `host`, self-signed; its file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, now, now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    made = directory / f"{name}.pem"
    made.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    made.with_suffix(".key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    return made


def good(encrypting: mariadb.Mariadb) -> str:
    option = next(one for one in encrypting._options if one.startswith("--ssl-cert="))
    return option.partition("=")[2]


def cipher(connection: server.Connection) -> str:
    cursor = connection.cursor()
    cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
    ((_, name),) = cursor.fetchall()
    server.drop(connection)
    return str(name)


def test_a_server_that_proves_who_it_is_serves_a_store_over_tls(encrypting: mariadb.Mariadb) -> None:
    url = f"{encrypting.url()}&ca={good(encrypting)}"
    assert cipher(server.connect(address_of(url)))
    store = MysqlStore(url, 4)
    store.bucket_create(bucket())
    assert store.commit(inline(b"key", b"data")).key == b"key"
    assert store.current(BUCKET, b"key").size == 4
    store.close()


def test_a_server_of_another_authority_or_name_is_refused(encrypting: mariadb.Mariadb, tmp_path: Path) -> None:
    stranger = certify(tmp_path, "stranger", "localhost")
    with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
        server.connect(address_of(f"{encrypting.url()}&ca={stranger}"))
    elsewhere = f"{encrypting.url()}&ca={good(encrypting)}".replace("@localhost", "@db.example")
    with pytest.raises(Unavailable, match=r"(?i)hostname"):
        server.connect(address_of(elsewhere))


def test_a_server_without_tls_and_a_file_that_is_not_there_are_refused(tmp_path: Path) -> None:
    plain = mariadb.shared().url()
    with pytest.raises(Unavailable, match="SSL is required"):
        server.connect(address_of(f"{plain}&ca={certify(tmp_path, 'any', 'localhost')}"))
    with pytest.raises(Unavailable, match="No such file"):
        server.connect(address_of(f"{plain}&ca={tmp_path / 'none.pem'}"))
    assert cipher(server.connect(address_of(plain))) == ""
