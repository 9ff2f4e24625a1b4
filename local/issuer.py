"""A local OpenID Connect issuer, in place of Cognito, Firebase or Auth0."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from local.http_server import Request, Response, serve

AUDIENCE = "call-reject-local"
KEY_ID = "key-1"
TOKEN_SECONDS = 12 * 3600


class Issuer:
    """Issues tokens for the issuer at `url`, signed with a new key."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def token(self, user: str, **claims: Any) -> str:
        """Return a token for a user. `claims` replace the default claims; None removes one."""
        now = int(time.time())
        defaults = {"iss": self.url, "aud": AUDIENCE, "sub": user, "iat": now - 1, "exp": now + TOKEN_SECONDS}
        payload = {name: value for name, value in {**defaults, **claims}.items() if value is not None}
        return jwt.encode(payload, self.key, "RS256", headers={"kid": KEY_ID})

    def documents(self) -> dict[str, Any]:
        """Return the issuer's public documents by path.

        See https://openid.net/specs/openid-connect-discovery-1_0.html and https://www.rfc-editor.org/rfc/rfc7517.
        """
        key = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/keys"},
            "/keys": {"keys": [{**key, "kid": KEY_ID, "use": "sig", "alg": "RS256"}]},
        }


@contextmanager
def issuer() -> Iterator[Issuer]:
    """Run an issuer on a free port until the block ends."""
    documents: dict[str, Any] = {}

    def respond(request: Request) -> Response:
        return Response.json(documents[request.path]) if request.path in documents else Response(404)

    with serve(respond) as server:
        running = Issuer(server.url)
        documents.update(running.documents())
        yield running
