"""`POST /call-reject` with IAM authorization: requests through API Gateway, the function and the simulator."""

import json
from typing import Any

import pytest
import requests
import schemathesis
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from local.stack import Stack
from tests.support.paths import OPENAPI

INTERFACE = schemathesis.openapi.from_path(OPENAPI)
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def body(call_id: str, **members: str) -> str:
    return json.dumps({"FromUserId": "user0", "CallId": call_id, **members})


def post(stack: Stack, call_id: str, **members: str) -> requests.Response:
    """Send a request, check that the response conforms to openapi.yaml, and return it."""
    request = body(call_id, **members)
    response = stack.post(request)
    case: schemathesis.Case[Any] = INTERFACE["/call-reject"]["POST"].Case(
        body=json.loads(request), media_type="application/json"
    )
    case.validate_response(response, checks=CHECKS)
    return response


def test_a_ringing_call_is_rejected_once(stack: Stack) -> None:
    call_id = stack.simulator.ring("user0")
    response = post(stack, call_id, ExtendedData='{"reason":"décline"}')
    assert response.status_code == 200
    assert response.json().items() >= {"Code": 0, "Message": "success"}.items()
    call = stack.simulator.call(call_id)
    assert call.state == "rejected"
    assert call.extended_data == {"user0": '{"reason":"décline"}'}
    assert post(stack, call_id).status_code == 409


@pytest.mark.parametrize(
    ("code", "status", "retry_after"), [(660300005, 429, "1"), (100000005, 502, None), (1, 503, "5")]
)
def test_an_error_of_zim_is_a_problem_with_retry_after(
    stack: Stack, code: int, status: int, retry_after: str | None
) -> None:
    stack.simulator.fault("code", code=code)
    response = post(stack, "call-1")
    assert response.status_code == status
    assert response.headers.get("Retry-After") == retry_after
    assert response.json()["Code"] == code


def test_an_invalid_request_is_rejected_and_zim_is_not_called(stack: Stack) -> None:
    response = post(stack, "c" * 33)
    assert response.status_code == 400
    assert (response.json()["member"], response.json()["rule"]) == ("CallId", "maxLength")
    assert stack.simulator.requests() == []


@pytest.mark.parametrize("url", ["call_reject_url", "call_reject_async_url"])
def test_an_unsigned_request_is_rejected(stack: Stack, url: str) -> None:
    call_id = stack.simulator.ring("user0")
    assert stack.request("POST", getattr(stack, url), body(call_id), signed=False).status_code == 403
    assert stack.simulator.call(call_id).state == "ringing"
