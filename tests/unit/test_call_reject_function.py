"""The handler of CallRejectFunction: its two triggers, its log and its metrics."""

import base64
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from local.zim_simulator.running import SimulatorClient
from local.zim_simulator.zim import SERVER_SECRET
from tests.support.paths import EVENTS
from tests.unit.doubles import Function, Log

EXTENDED_DATA = "planted-extended-data"
HTTP_EVENT: dict[str, Any] = json.loads((EVENTS / "CallRejectFunction" / "http_api.json").read_text())


@pytest.fixture
def function(load: Callable[..., Function]) -> Function:
    return load("call_reject", JWT_USER_CLAIM="sub", POWERTOOLS_LOGGER_LOG_EVENT="true")


def http_event(body: Any) -> dict[str, Any]:
    return {**HTTP_EVENT, "body": body if isinstance(body, str) else json.dumps(body)}


def members(zim: SimulatorClient) -> dict[str, str]:
    """Return a request for a call that rings."""
    return {"FromUserId": "user0", "CallId": zim.ring("user0"), "ExtendedData": EXTENDED_DATA}


@pytest.mark.parametrize("name", ["http_api.json", "http_api_base64.json"])
def test_a_request_over_https_returns_the_response_of_zim(zim: SimulatorClient, function: Function, name: str) -> None:
    event = json.loads((EVENTS / "CallRejectFunction" / name).read_text())
    body = base64.b64decode(event["body"]) if event["isBase64Encoded"] else event["body"]
    call_id = zim.ring("user0", call_id=json.loads(body)["CallId"])
    response = function(event)
    assert response["statusCode"] == 200
    assert response["headers"] == {"Content-Type": "application/json"}
    assert json.loads(response["body"]).items() >= {"Code": 0, "Message": "success"}.items()
    assert zim.call(call_id).state == "rejected"


def test_an_error_over_https_is_a_problem(zim: SimulatorClient, function: Function) -> None:
    response = function(http_event(""))
    assert response["statusCode"] == 400
    assert response["headers"] == {"Content-Type": "application/problem+json"}
    problem = json.loads(response["body"])
    assert (problem["member"], problem["rule"], problem["retryable"]) == ("body", "required", False)
    assert zim.requests() == []


def test_a_retryable_error_over_https_says_how_long_to_wait(zim: SimulatorClient, function: Function) -> None:
    zim.fault("code", code=660300005)
    response = function(http_event(members(zim)))
    assert response["statusCode"] == 429
    assert response["headers"]["Retry-After"] == "1"
    assert json.loads(response["body"])["Code"] == 660300005


def test_a_direct_invocation_returns_the_response_of_zim(zim: SimulatorClient, function: Function) -> None:
    event = json.loads((EVENTS / "CallRejectFunction" / "direct.json").read_text())
    zim.ring(event["FromUserId"], call_id=event["CallId"])
    response = function(event)
    assert response.keys() == {"Code", "Message", "RequestId"}
    assert response["Code"] == 0


@pytest.mark.parametrize(
    ("event", "name", "status"),
    [
        ({"FromUserId": "user0", "CallId": "no-such-call"}, "CallNotFound", 404),
        ({"FromUserId": "user0"}, "InvalidRequest", 400),
        (["requestContext"], "InvalidRequest", 400),
        ("requestContext", "InvalidRequest", 400),
        ({"requestContext": None}, "InvalidRequest", 400),
        (None, "InvalidRequest", 400),
    ],
)
def test_a_direct_invocation_fails_with_the_name_of_the_outcome_and_a_problem(
    zim: SimulatorClient, function: Function, event: Any, name: str, status: int
) -> None:
    zim.register("user0")
    with pytest.raises(function.app.CallRejectError) as raised:
        function(event)
    assert type(raised.value).__name__ == name
    problem = json.loads(str(raised.value))
    assert problem["type"] == f"urn:problem-type:call-reject:{name}"
    assert problem["status"] == status


@pytest.mark.parametrize("trigger", ["http", "direct"])
def test_a_request_logs_one_line_and_counts_one_outcome(
    zim: SimulatorClient, function: Function, log: Log, capsys: pytest.CaptureFixture[str], trigger: str
) -> None:
    request = members(zim)
    function(http_event(request) if trigger == "http" else request)
    (line,) = log.lines
    assert (line["outcome"], line["trigger"], line["call_id"]) == ("Rejected", trigger, request["CallId"])
    assert (line["code"], line["attempts"]) == (0, 1)
    assert line["zim_request_id"].isdecimal()
    assert 0 < line["zim_ms"] < 10_000
    assert line.get("correlation_id") == ("JKJaXmPLvHcESHA=" if trigger == "http" else None)
    assert line["function_request_id"] == "request-1"
    printed = json.loads(capsys.readouterr().out)
    assert (printed["Rejected"], printed["ZimCalls"]) == ([1.0], [1.0])
    assert printed["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "CallReject"


@pytest.mark.parametrize("trigger", ["http", "direct"])
def test_only_requests_over_https_count_for_the_objective(
    zim: SimulatorClient, function: Function, capsys: pytest.CaptureFixture[str], trigger: str
) -> None:
    request = members(zim)
    function(http_event(request) if trigger == "http" else request)
    assert ("ObjectiveMissed" in json.loads(capsys.readouterr().out)) == (trigger == "http")


def test_neither_extended_data_nor_a_secret_is_logged_at_level_debug(
    zim: SimulatorClient, function: Function, log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        function(http_event(members(zim)))
        function(members(zim))
    (first, _) = zim.requests()
    for text in (EXTENDED_DATA, SERVER_SECRET, first.parameters["Signature"]):
        assert text not in log.text
        assert text not in caplog.text


def test_no_call_starts_with_too_little_of_the_invocation_left(zim: SimulatorClient, function: Function) -> None:
    assert function(http_event(members(zim)), remaining_ms=1_499)["statusCode"] == 429
    with pytest.raises(function.app.CallRejectError):
        function(members(zim), remaining_ms=1_499)
    assert zim.requests() == []
    assert function(http_event(members(zim)), remaining_ms=3_000)["statusCode"] == 200
    assert function(members(zim), remaining_ms=3_000)["Code"] == 0


def test_a_restore_of_a_snapshot_discards_cached_state(
    zim: SimulatorClient, load: Callable[..., Function], monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks: list[Callable[[], None]] = []
    monkeypatch.setattr("snapshot_restore_py.register_after_restore", hooks.append)
    function = load("call_reject")
    function(members(zim))
    for hook in hooks:
        hook()
    function(members(zim))
    before, after = zim.requests()
    assert before.connection != after.connection


CANARY: dict[str, Any] = json.loads((EVENTS / "CallRejectFunction" / "canary.json").read_text())


def canary_metrics(printed: str) -> dict[str, Any]:
    """Return the metrics of the canary. None of them is an outcome."""
    metrics: dict[str, Any] = json.loads(printed)
    names = {metric["Name"] for directive in metrics["_aws"]["CloudWatchMetrics"] for metric in directive["Metrics"]}
    assert names <= {"CanaryFailed", "ZimCalls", "WindowWait", "ZimTime"}
    return metrics


def test_the_canary_passes_if_zim_does_not_find_its_call(
    zim: SimulatorClient, function: Function, log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    zim.register(CANARY["CanaryUserId"])
    assert function(CANARY) == function(CANARY) == {"passed": True}
    first, second = zim.requests()
    assert first.parameters["FromUserId"] == CANARY["CanaryUserId"]
    assert first.parameters["CallId"] != second.parameters["CallId"]
    assert (first.code, second.code) == (660900004, 660900004)
    assert [(line["level"], line["message"], line["trigger"]) for line in log.lines] == [
        ("INFO", "canary passed", "canary")
    ] * 2
    assert "outcome" not in log.text
    for line in capsys.readouterr().out.splitlines():
        assert (canary_metrics(line)["CanaryFailed"], canary_metrics(line)["ZimCalls"]) == ([0.0], [1.0])


@pytest.mark.parametrize(
    ("code", "name"),
    [(100000005, "ZimConfigurationError"), (660500002, "UserNotRegistered"), (1, "ZimUnavailable")],
)
def test_the_canary_fails_with_any_other_answer(
    zim: SimulatorClient, function: Function, log: Log, capsys: pytest.CaptureFixture[str], code: int, name: str
) -> None:
    zim.fault("code", code=code)
    assert function(CANARY) == {"passed": False}
    (line,) = log.lines
    assert (line["level"], line["trigger"]) == ("ERROR", "canary")
    assert line["message"].startswith(f"canary failed: {name}: ZIM returned {code}")
    assert canary_metrics(capsys.readouterr().out)["CanaryFailed"] == [1.0]


def test_a_canary_that_is_rate_limited_neither_passes_nor_fails(
    zim: SimulatorClient, function: Function, log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    zim.fault("code", code=660300005)
    assert function(CANARY) == {"passed": None}
    assert log.lines[0]["message"].startswith("canary skipped")
    assert canary_metrics(capsys.readouterr().out).keys() & {"CanaryFailed", "ZimCalls"} == {"ZimCalls"}


def test_the_canary_fails_if_its_call_is_rejected(zim: SimulatorClient, function: Function, log: Log) -> None:
    zim.fault("code", code=0)
    assert function(CANARY) == {"passed": False}
    assert log.lines[0]["message"] == "canary failed: ZIM accepted a call that does not exist"


@pytest.mark.parametrize("user_id", ["", "üser", None])
def test_the_canary_fails_with_a_user_id_that_is_not_valid(
    zim: SimulatorClient, function: Function, log: Log, capsys: pytest.CaptureFixture[str], user_id: Any
) -> None:
    assert function({"CanaryUserId": user_id}) == {"passed": False}
    assert log.lines[0]["message"].startswith("canary failed: InvalidRequest: FromUserId")
    assert zim.requests() == []
    assert canary_metrics(capsys.readouterr().out).keys() & {"CanaryFailed", "ZimCalls"} == {"CanaryFailed"}
