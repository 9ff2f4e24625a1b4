"""An issuer of tokens (OIDC) on this machine, in the place of Cognito, Firebase, Auth0 or another."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from local.processes import HOST

AUDIENCE = "call-reject-on-this-machine"
KEY_ID = "key-1"
HOURS = 3600


class Issuer:
    """Signs tokens, with a key made for this run."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def token(self, user: str, **claims: Any) -> str:
        """Return a token of a user, good for twelve hours; `claims` are set, or with None left out."""
        now = int(time.time())
        usual = {"iss": self.url, "aud": AUDIENCE, "sub": user, "iat": now - 1, "exp": now + 12 * HOURS}
        carried = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return jwt.encode(carried, self.key, "RS256", headers={"kid": KEY_ID})

    def documents(self) -> dict[str, Any]:
        """Return what an issuer publishes, by path (OpenID Connect Discovery 1.0, RFC 7517)."""
        key = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/keys"},
            "/keys": {"keys": [{**key, "kid": KEY_ID, "use": "sig", "alg": "RS256"}]},
        }


@contextmanager
def issuer() -> Iterator[Issuer]:
    """Publish an issuer's documents on a free port while the context lasts."""
    documents: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            document = documents.get(self.path)
            self.send_response(404 if document is None else 200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        started = Issuer(f"http://{HOST}:{server.server_port}")
        documents.update(started.documents())
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield started
        finally:
            server.shutdown()
