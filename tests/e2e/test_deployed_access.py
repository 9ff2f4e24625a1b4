"""JWTs, CORS and a customer managed KMS key. The emulator verifies JWTs, but not IAM signatures."""

import time
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from local.issuer import KEY_ID, Issuer
from local.stack import logged
from local.zim_simulator.zim import SERVER_SECRET
from tests.e2e.conftest import ALLOWED_ORIGIN, JwtStack, wait_until_rejected


@pytest.fixture(params=["call_reject_url", "call_reject_async_url"])
def url(jwt_stack: JwtStack, request: pytest.FixtureRequest) -> str:
    """Each of the two routes."""
    address: str = getattr(jwt_stack.stack, request.param)
    return address


def test_a_user_can_reject_a_call_and_omit_their_name(jwt_stack: JwtStack, url: str) -> None:
    call_id = jwt_stack.stack.simulator.ring("user0")
    response = jwt_stack.post(url, jwt_stack.issuer.token("user0"), CallId=call_id)
    assert response.status_code in {200, 202}
    wait_until_rejected(jwt_stack.stack, call_id)


def test_a_user_cannot_reject_the_call_of_another_user(jwt_stack: JwtStack, url: str) -> None:
    call_id = jwt_stack.stack.simulator.ring("user0")
    response = jwt_stack.post(url, jwt_stack.issuer.token("user1"), CallId=call_id, FromUserId="user0")
    assert response.status_code == 403
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["type"].endswith(":Forbidden")
    assert jwt_stack.stack.simulator.requests() == []


def token_with_another_key(issuer: Issuer) -> str:
    claims = jwt.decode(issuer.token("user0"), options={"verify_signature": False})
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode(claims, key, "RS256", headers={"kid": KEY_ID})


@pytest.mark.parametrize(
    "token",
    [
        lambda _: None,
        token_with_another_key,
        lambda issuer: issuer.token("user0", exp=int(time.time()) - 60),
        lambda issuer: issuer.token("user0", aud="unknown-audience"),
        lambda issuer: issuer.token("user0", iss="https://issuer.example"),
    ],
    ids=["no token", "another key", "expired", "unknown audience", "another issuer"],
)
def test_api_gateway_rejects_a_request_without_a_valid_token(
    jwt_stack: JwtStack, url: str, token: Callable[[Issuer], str | None]
) -> None:
    call_id = jwt_stack.stack.simulator.ring("user0")
    assert jwt_stack.post(url, token(jwt_stack.issuer), CallId=call_id).status_code == 401
    assert jwt_stack.stack.simulator.call(call_id).state == "ringing"


def test_an_iam_signature_does_not_replace_a_token(jwt_stack: JwtStack, url: str) -> None:
    request = '{"FromUserId":"user0","CallId":"call-1"}'
    assert jwt_stack.stack.request("POST", url, request, signed=True).status_code == 401


@pytest.mark.parametrize(("origin", "allowed"), [(ALLOWED_ORIGIN, ALLOWED_ORIGIN), ("https://other.example", None)])
def test_only_pages_of_an_allowed_origin_can_send_requests(
    jwt_stack: JwtStack, url: str, origin: str, allowed: str | None
) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    preflight = jwt_stack.stack.request("OPTIONS", url, b"", headers, signed=False)
    assert preflight.headers.get("Access-Control-Allow-Origin") == allowed
    if allowed:
        assert "authorization" in preflight.headers["Access-Control-Allow-Headers"].lower()


def test_no_log_contains_a_token_a_secret_a_signature_or_extended_data(jwt_stack: JwtStack) -> None:
    """The log level of this stack is DEBUG."""
    stack, token, extended_data = jwt_stack.stack, jwt_stack.issuer.token("user0"), "text-in-extended-data"
    for url in (stack.call_reject_url, stack.call_reject_async_url):
        stack.simulator.fault("html")
        call_id = stack.simulator.ring("user0")
        for members in ({"CallId": call_id}, {"CallId": ""}, {"CallId": call_id, "FromUserId": "user1"}):
            jwt_stack.post(url, token, ExtendedData=extended_data, **members)
    wait_until_rejected(stack, call_id)  # by the retry of the queued request
    lines = logged(stack, lambda lines: any(call_id in line and '"Rejected"' in line for line in lines))
    output = "\n".join([*lines, *(path.read_text(errors="replace") for path in Path(stack.log).glob("*.log"))])
    signatures = [record.parameters["Signature"] for record in stack.simulator.requests()]
    assert len(signatures) >= 3
    assert not [text for text in (SERVER_SECRET, token, extended_data, *signatures) if text in output]
