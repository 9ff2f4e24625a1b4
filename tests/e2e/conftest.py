"""Two deployed stacks that the end-to-end tests share: one with IAM authorization, one with JWTs."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests

from local.issuer import AUDIENCE, Issuer, issuer
from local.processes import free_port, until
from local.stack import Stack, deployed

ALLOWED_ORIGIN = "https://app.example"
WAIT_SECONDS = 60.0


@pytest.fixture(scope="session")
def deployed_stack() -> Iterator[Stack]:
    with deployed(free_port(), free_port()) as stack:
        yield stack


@pytest.fixture
def stack(deployed_stack: Stack) -> Stack:
    """The stack with IAM authorization, and a simulator in its initial state."""
    deployed_stack.simulator.reset()
    return deployed_stack


@dataclass(frozen=True)
class JwtStack:
    """The stack with JWTs, and their issuer."""

    stack: Stack
    issuer: Issuer

    def post(self, url: str, token: str | None, **members: str) -> requests.Response:
        """Send a request with a token, or without one."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.stack.request("POST", url, json.dumps(members), headers, signed=False)


@pytest.fixture(scope="session")
def deployed_jwt_stack() -> Iterator[JwtStack]:
    with issuer() as oidc:
        parameters = {
            "JwtIssuer": oidc.url,
            "JwtAudience": f"another-audience,{AUDIENCE}",
            "AllowedOrigins": ALLOWED_ORIGIN,
            "LogLevel": "DEBUG",
        }
        with deployed(free_port(), free_port(), parameters, own_key=True) as stack:
            yield JwtStack(stack, oidc)


@pytest.fixture
def jwt_stack(deployed_jwt_stack: JwtStack) -> JwtStack:
    """The stack with JWTs and a customer managed KMS key, and a simulator in its initial state."""
    deployed_jwt_stack.stack.simulator.reset()
    return deployed_jwt_stack


def wait_until_rejected(stack: Stack, *call_ids: str) -> None:
    """Wait until the calls are rejected."""
    until(
        lambda: all(stack.simulator.call(call_id).state == "rejected" for call_id in call_ids),
        WAIT_SECONDS,
        "The calls were not rejected",
    )
