"""Who may reject whose calls, on a stack deployed with tokens, browsers' origins and a customer's key for the secret.

Access by IAM is what the other end-to-end tests use. The emulator asks for a signature but does not verify it: that a
wrong one is refused is AWS's own doing, and not shown here.
"""

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from local.issuer import AUDIENCE, KEY_ID, Issuer, issuer
from local.processes import free_port, until
from local.stack import Stack, deployed, logged
from local.zim_simulator.faults import Kind
from local.zim_simulator.zim import SERVER_SECRET

ORIGIN = "https://app.example"
WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Guarded:
    """A stack behind an issuer's tokens."""

    stack: Stack
    issuer: Issuer

    def post(self, url: str, token: str | None, **members: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.stack.request("POST", url, json.dumps(members), headers, signed=False)


@pytest.fixture(scope="module")
def deployed_guarded() -> Iterator[Guarded]:
    with issuer() as oidc:
        access = {"JwtIssuer": oidc.url, "JwtAudience": f"another,{AUDIENCE}", "AllowedOrigins": ORIGIN}
        parameters = {**access, "LogLevel": "DEBUG"}
        with deployed(free_port(), free_port(), parameters, own_key=True) as stack:
            yield Guarded(stack, oidc)


@pytest.fixture
def guarded(deployed_guarded: Guarded) -> Guarded:
    deployed_guarded.stack.simulator.reset()
    return deployed_guarded


@pytest.fixture(params=["call_reject_url", "call_reject_async_url"])
def url(guarded: Guarded, request: pytest.FixtureRequest) -> str:
    """Each of the two routes."""
    address: str = getattr(guarded.stack, request.param)
    return address


def eventually_rejected(stack: Stack, call_id: str) -> None:
    until(lambda: stack.simulator.call(call_id).state == "rejected", WAIT_SECONDS, "The call was not rejected")


@pytest.mark.parametrize("named", [False, True])
def test_a_user_rejects_a_call_of_their_own(guarded: Guarded, url: str, named: bool) -> None:  # noqa: FBT001
    call = guarded.stack.simulator.ring("user0")
    members = {"CallId": call, **({"FromUserId": "user0"} if named else {})}
    assert guarded.post(url, guarded.issuer.token("user0"), **members).status_code in {200, 202}
    eventually_rejected(guarded.stack, call)


def test_a_user_cannot_reject_for_somebody_else(guarded: Guarded, url: str) -> None:
    call = guarded.stack.simulator.ring("user0")
    response = guarded.post(url, guarded.issuer.token("user1"), CallId=call, FromUserId="user0")
    assert response.status_code == 403
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["type"].endswith(":NotAllowed")
    assert guarded.stack.simulator.requests() == []


@pytest.mark.parametrize("user", ["u" * 33, "auth0/user"])
def test_a_claim_that_is_no_user_id_is_refused_with_the_reason(guarded: Guarded, url: str, user: str) -> None:
    response = guarded.post(url, guarded.issuer.token(user), CallId="call-1")
    assert response.status_code == 403
    assert "sub is no FromUserId" in response.json()["detail"]


def test_a_token_without_the_claim_is_refused_with_the_reason(guarded: Guarded, url: str) -> None:
    response = guarded.post(url, guarded.issuer.token("user0", sub=None), CallId="call-1")
    assert response.status_code == 403
    assert response.json()["detail"] == "The claim sub is missing from the token."


def stranger(oidc: Issuer) -> str:
    claims = jwt.decode(oidc.token("user0"), options={"verify_signature": False})
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode(claims, key, "RS256", headers={"kid": KEY_ID})


def unsigned(oidc: Issuer) -> str:
    _, claims, _ = oidc.token("user0").split(".")
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": KEY_ID}).encode()).decode().rstrip("=")
    return f"{header}.{claims}."


@pytest.mark.parametrize(
    "token",
    [
        lambda _: None,
        lambda _: "no.token.at-all",
        stranger,
        unsigned,
        lambda oidc: oidc.token("user0", exp=int(time.time()) - 60),
        lambda oidc: oidc.token("user0", aud="somebody-else"),
        lambda oidc: oidc.token("user0", aud=None),
        lambda oidc: oidc.token("user0", iss="https://issuer.example"),
        lambda oidc: f"{oidc.token('user0')[:-8]}AAAAAAAA",
    ],
    ids=["none", "no token", "another key", "alg none", "expired", "audience", "no audience", "issuer", "signature"],
)
def test_whoever_has_no_good_token_is_turned_away_at_the_door(
    guarded: Guarded, url: str, token: Callable[[Issuer], str | None]
) -> None:
    call = guarded.stack.simulator.ring("user0")
    assert guarded.post(url, token(guarded.issuer), CallId=call).status_code == 401
    assert guarded.stack.simulator.call(call).state == "ringing"


def test_a_signature_of_iam_is_no_token(guarded: Guarded, url: str) -> None:
    response = guarded.stack.request("POST", url, '{"FromUserId":"user0","CallId":"call-1"}', signed=True)
    assert response.status_code == 401


def test_a_page_of_an_allowed_origin_may_ask(guarded: Guarded, url: str) -> None:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    preflight = guarded.stack.request("OPTIONS", url, b"", asked, signed=False)
    assert preflight.status_code in {200, 204}
    assert preflight.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "authorization" in preflight.headers["Access-Control-Allow-Headers"].lower()
    answer = guarded.stack.request(
        "POST", url, b"", {"Origin": ORIGIN, "Authorization": f"Bearer {guarded.issuer.token('user0')}"}, signed=False
    )
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN


def test_a_page_of_another_origin_may_not(guarded: Guarded, url: str) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    preflight = guarded.stack.request("OPTIONS", url, b"", asked, signed=False)
    assert "Access-Control-Allow-Origin" not in preflight.headers


def test_at_debug_too_no_log_shows_a_token_a_secret_a_signature_or_extended_data(guarded: Guarded) -> None:
    stack, token, planted = guarded.stack, guarded.issuer.token("user0"), "planted-extended-data"
    faults: tuple[Kind, ...] = (
        "slow",
        "cut_before",
        "cut_middle",
        "html",
        "http_500",
        "redirect",
        "no_code",
        "not_object",
        "code",
    )
    for fault in faults:
        stack.simulator.fault(fault)
        for url in (stack.call_reject_url, stack.call_reject_async_url):
            guarded.post(url, token, CallId=stack.simulator.ring("user0"), ExtendedData=planted)
            guarded.post(url, token, CallId="", ExtendedData=planted)
            guarded.post(url, token, CallId="call-1", FromUserId="user1", ExtendedData=planted)
    last = stack.simulator.ring("user0")
    guarded.post(stack.call_reject_async_url, token, CallId=last, ExtendedData=planted)
    eventually_rejected(stack, last)
    lines = logged(stack, lambda lines: any(last in line and "attempts" in line for line in lines))
    everything = "\n".join([*lines, *(path.read_text(errors="replace") for path in Path(stack.log).glob("*.log"))])
    signatures = [record.parameters["Signature"] for record in stack.simulator.requests()]
    assert len(signatures) > len(faults)
    assert not [secret for secret in (SERVER_SECRET, token, planted, *signatures) if secret in everything]
