"""The limits of what callers and ZIM can send to the built function.

All limits are tested in tests/unit/test_http_api.py and tests/unit/test_server_api.py.
"""

import json
from typing import Any

import pytest

from local.zim_simulator.running import SimulatorClient
from tests.artifact.conftest import StartFunction
from tests.artifact.runtime import REQUEST, Function
from tests.support.http_server import Response, serve

MAX_BODY_CHARACTERS = 16 * 1024


def test_the_longest_body_is_accepted(ringing: SimulatorClient, function: Function) -> None:
    assert function.post(json.dumps(REQUEST).ljust(MAX_BODY_CHARACTERS)).status == 200


@pytest.mark.parametrize(
    "body",
    [json.dumps(REQUEST).ljust(MAX_BODY_CHARACTERS + 1), "[" * 1_000_000, b"x" * 3_000_000],
    ids=["one character too long", "deep", "3 MB in base64"],
)
def test_a_longer_body_is_rejected_before_it_is_parsed(
    zim: SimulatorClient, function: Function, body: str | bytes
) -> None:
    response = function.post(body)
    assert response.status == 413
    assert response.members["type"] == "urn:problem-type:call-reject:RequestTooLarge"
    assert response.members["retryable"] is False
    assert function.line()["outcome"] == "RequestTooLarge"
    assert zim.requests() == []


CLEANED = {"Message": "a?" + "b" * 254, "RequestId": "?"}


@pytest.mark.parametrize(
    ("code", "error", "status", "members"),
    [
        (0, None, 200, {"Code": 0, **CLEANED}),
        (2, "InvalidRequest", 400, {"Code": 2, **CLEANED}),
        (2**63, "UnexpectedZimResponse", 502, {}),
    ],
)
def test_a_hostile_response_of_zim_is_cleaned_and_does_not_end_the_function(
    start: StartFunction, code: int, error: str | None, status: int, members: dict[str, Any]
) -> None:
    response = Response.json({"Code": code, "Message": "a\ud800" + "b" * 1000, "RequestId": "\ud800"})
    with serve(lambda _: response) as zim, start(ZIM_API_BASE_URL=zim.url) as function:
        for _ in range(2):
            result = function.invoke(REQUEST)
            assert result.get("errorType") == error
            direct, posted = json.loads(result["errorMessage"]) if error else result, function.reject()
            assert posted.status == status
            for found in (direct, posted.members):
                assert {name: found[name] for name in ("Code", *CLEANED) if name in found} == members
