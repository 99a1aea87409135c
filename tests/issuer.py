"""A small OIDC issuer on loopback: discovery, keys, and tokens with whatever claims a test wants.

Knows OIDC's documents. Must not know ZapFS. Its keys are made once for all tests: RSA of 2,048 bits takes a while.
"""

import json
import threading
import time
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

PATH = "/realms/demo"


@cache
def rsa_key(number=0, bits=2048):
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key(curve="P-256"):
    return ec.generate_private_key({"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1()}[curve])


def public(key, key_id, **more):
    """The JWK of a private key."""
    algorithm = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    return json.loads(algorithm.to_jwk(key.public_key())) | {"kid": key_id, "use": "sig"} | more


class Issuer:
    """A context: serves while it is entered. `keys`: JWKs shown; `asked`: paths asked for; `documents`: path ->
    (status, headers, body) that come before its own."""

    def __init__(self):
        self.keys = [public(rsa_key(), "one")]
        self.asked = []
        self.documents = {}
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked.append(self.path)
                status, headers, body = issuer.answer(self.path)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    @property
    def name(self):
        """As a provider is called."""
        return f"127.0.0.1:{self._server.server_address[1]}{PATH}"

    @property
    def url(self):
        return f"http://{self.name}"

    def answer(self, path):
        if path in self.documents:
            return self.documents[path]
        found = {
            f"{PATH}/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/certs"},
            f"{PATH}/certs": {"keys": self.keys},
        }.get(path)
        return (404, {}, b"") if found is None else (200, {}, json.dumps(found).encode())

    def claims(self, **changes):
        now = int(time.time())
        told = {"iss": self.url, "sub": "ann", "aud": "app", "iat": now, "exp": now + 300} | changes
        return {name: value for name, value in told.items() if value is not None}

    def token(self, key=None, algorithm="RS256", key_id="one", **changes):
        return jwt.encode(
            self.claims(**changes), key or rsa_key(), algorithm, headers={"kid": key_id} if key_id else {}
        )
