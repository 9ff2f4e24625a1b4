"""What `make logs` shows of a log event."""

import json
import time
from typing import Any

import pytest

from local.logs import describe

NOON = time.mktime((2026, 11, 25, 12, 0, 0, 0, 0, -1)) + 0.25
REJECTED: dict[str, Any] = {
    "level": "INFO",
    "message": "call rejected",
    "function_name": "call-reject-CallRejectFunction-A45D367D87D91",
    "outcome": "Rejected",
    "status": 200,
    "call_id": "call-1",
    "code": 0,
    "window_wait_ms": 20.0,
    "zim_ms": 7.4,
}
NOT_FOUND = {
    "level": "INFO",
    "message": "ZIM returned 660900004: no such call.",
    "outcome": "CallNotFound",
    "status": 404,
    "code": 660900004,
}
CALLBACK = {
    "level": "INFO",
    "message": "CallbackPublished",
    "function_name": "do-not-disturb-DoNotDisturbFunction-B3C4D367D87D9",
    "outcome": "CallbackPublished",
    "event": "call_create",
    "call_id": "call-1",
}
CALLBACK_REJECTED = {**CALLBACK, "outcome": "CallbackRejected", "message": "The signature is invalid.", "call_id": None}
INVALID = {
    **REJECTED,
    "outcome": "InvalidRequest",
    "status": 400,
    "message": "body violates json",
    "call_id": None,
    "code": None,
}


@pytest.mark.parametrize(
    ("members", "line"),
    [
        (REJECTED, "CallRejectFunction Rejected 0 27 call-1"),
        (
            REJECTED | NOT_FOUND,
            "CallRejectFunction CallNotFound 660900004 27 call-1 ZIM returned 660900004: no such call.",
        ),
        (INVALID, "CallRejectFunction InvalidRequest 27 body violates json"),
        (CALLBACK, "DoNotDisturbFunction CallbackPublished call-1"),
        (CALLBACK_REJECTED, "DoNotDisturbFunction CallbackRejected The signature is invalid."),
    ],
)
def test_a_request_is_a_line_with_its_code_its_milliseconds_and_what_went_wrong(
    members: dict[str, Any], line: str
) -> None:
    described = describe(json.dumps(members), NOON)
    assert described
    assert " ".join(described.split()) == f"12:00:00.250 {line}"


def test_an_exception_is_shown_with_its_traceback() -> None:
    members = {"level": "ERROR", "message": "it failed", "exception": "Traceback ...\nValueError: 1"}
    assert str(describe(json.dumps(members), NOON)).endswith("ERROR: it failed\nTraceback ...\nValueError: 1")


def test_text_is_shown_as_it_is() -> None:
    assert describe("Task timed out after 20.00 seconds\n", NOON) == "12:00:00.250  Task timed out after 20.00 seconds"


@pytest.mark.parametrize(
    "message",
    [
        json.dumps({"_aws": {"Timestamp": 1}, "service": "call-reject", "Rejected": [1.0]}),
        "START RequestId: 0ef0b9e4 Version: 1",
        "END RequestId: 0ef0b9e4",
        "REPORT RequestId: 0ef0b9e4\tDuration: 357 ms",
        "INIT_START Runtime Version: python:3.13",
    ],
)
def test_metrics_and_lines_of_lambda_are_omitted(message: str) -> None:
    assert describe(message, NOON) is None
