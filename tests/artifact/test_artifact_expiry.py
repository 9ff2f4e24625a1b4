"""ExpiresAt, Reason and the canary, through the built function."""

import json
import time
from typing import Any

from local.zim_simulator.running import SimulatorClient
from tests.artifact.conftest import StartFunction
from tests.artifact.runtime import REQUEST, Function
from tests.support.paths import EVENTS

CANARY: dict[str, str] = json.loads((EVENTS / "CallRejectFunction" / "canary.json").read_text())


def expiring(seconds: int) -> dict[str, Any]:
    """Return the sample request, which expires in these seconds."""
    return {**REQUEST, "ExpiresAt": int(time.time()) + seconds}


def test_a_request_is_sent_before_it_expires(ringing: SimulatorClient, function: Function) -> None:
    assert function.invoke(expiring(60))["Code"] == 0
    (record,) = ringing.requests()
    assert "ExpiresAt" not in record.parameters


def test_an_expired_request_is_not_sent(ringing: SimulatorClient, function: Function) -> None:
    result = function.invoke(expiring(-1))
    assert result["errorType"] == "RequestExpired"
    assert json.loads(result["errorMessage"])["retryable"] is False
    response = function.post(json.dumps(expiring(-1)))
    assert (response.status, response.members["retryable"]) == (410, False)
    assert function.line()["outcome"] == "RequestExpired"
    assert ringing.requests() == []
    assert ringing.call(REQUEST["CallId"]).state == "ringing"


def test_a_request_that_expires_after_a_lost_connection_is_not_sent_again(
    ringing: SimulatorClient, start: StartFunction
) -> None:
    with start(CALLS_PER_SECOND="1", RESERVED_CONCURRENCY="10") as slow:
        ringing.fault("cut_before")
        assert slow.invoke(expiring(8))["errorType"] == "RequestExpired"
        assert slow.line()["attempts"] == 1
    assert len(ringing.requests()) == 1
    assert ringing.call(REQUEST["CallId"]).state == "ringing"


def test_a_reason_is_sent_in_the_form_of_the_uikit(ringing: SimulatorClient, function: Function) -> None:
    request = {"FromUserId": REQUEST["FromUserId"], "CallId": REQUEST["CallId"], "Reason": "busy"}
    assert function.invoke(request)["Code"] == 0
    sent = json.loads(ringing.call(REQUEST["CallId"]).extended_data[REQUEST["FromUserId"]])
    assert sent == {"invitation_id": "", "reason": "busy", "custom_data": "", "v": "f1.0"}


def test_the_canary_passes_if_zim_does_not_find_its_call(zim: SimulatorClient, function: Function) -> None:
    zim.register(CANARY["CanaryUserId"])
    assert function.invoke(CANARY) == {"passed": True}
    assert function.lines("outcome") == []
    (metrics,) = function.lines("CanaryFailed")
    assert metrics["CanaryFailed"] == [0.0]


def test_the_canary_fails_with_a_wrong_secret(zim: SimulatorClient, function: Function) -> None:
    zim.register(CANARY["CanaryUserId"])
    zim.fault("code", code=100000005)
    assert function.invoke(CANARY) == {"passed": False}
    assert function.lines("outcome") == []
    (metrics,) = function.lines("CanaryFailed")
    assert metrics["CanaryFailed"] == [1.0]
