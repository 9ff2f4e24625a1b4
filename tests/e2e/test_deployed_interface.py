"""Each outcome that ZIM can bring about, answered by the deployed route as `openapi.yaml` describes it."""

import json
from typing import Any

import pytest
import schemathesis
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from local.stack import ROOT, Stack

INTERFACE = schemathesis.openapi.from_path(ROOT / "openapi.yaml")
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def answered_as_described(stack: Stack, path: str, url: str, call_id: str) -> int:
    """Return the status of the answer, once it is found to be one that is described."""
    case: schemathesis.Case[Any] = INTERFACE[path]["POST"].Case(
        body={"FromUserId": "user0", "CallId": call_id}, media_type="application/json"
    )
    response = stack.request("POST", url, json.dumps(case.body))
    case.validate_response(response, checks=CHECKS)
    return response.status_code


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (660000002, 400),
        (660900004, 404),
        (660900006, 409),
        (660500002, 422),
        (660300005, 429),
        (100000005, 502),
        (-1, 502),
        (1, 503),
    ],
)
def test_what_zim_refuses_is_answered_as_described(stack: Stack, code: int, status: int) -> None:
    stack.simulator.fault("code", code=code)
    assert answered_as_described(stack, "/call-reject", stack.call_reject_url, "call-1") == status


def test_what_zim_takes_is_answered_as_described(stack: Stack) -> None:
    call = stack.simulator.ring("user0")
    assert answered_as_described(stack, "/call-reject", stack.call_reject_url, call) == 200
    assert answered_as_described(stack, "/call-reject/async", stack.call_reject_async_url, call) == 202


def test_a_zim_that_cuts_the_connection_is_answered_as_described(stack: Stack) -> None:
    stack.simulator.fault("cut_before", times=None)
    assert answered_as_described(stack, "/call-reject", stack.call_reject_url, "call-1") == 502


def test_a_zim_that_does_not_answer_is_answered_as_described(stack: Stack) -> None:
    stack.simulator.fault("hang")
    assert answered_as_described(stack, "/call-reject", stack.call_reject_url, "call-1") == 504
    stack.simulator.clear_faults()
