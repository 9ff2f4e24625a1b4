"""The handler of CallRejectFunction: what it makes of its two triggers, and what operators see of it."""

import base64
import io
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.zim_simulator.running import SimulatorClient
from zim import telemetry

ROOT = Path(__file__).resolve().parents[2]
EVENTS = ROOT / "events" / "CallRejectFunction"


type Handler = Callable[[Any], Any]


@pytest.fixture
def handler(load: Callable[..., Handler]) -> Handler:
    return load("call_reject")


def http_event(body: str | None) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / "http_api.json").read_text())
    return {**event, "body": body}


@pytest.mark.parametrize("name", ["http_api.json", "http_api_base64.json"])
def test_a_request_over_https_is_answered_with_zims_answer(zim: SimulatorClient, handler: Handler, name: str) -> None:
    event = json.loads((EVENTS / name).read_text())
    body = base64.b64decode(event["body"]) if event["isBase64Encoded"] else event["body"]
    zim.ring("user0", call_id=json.loads(body)["CallId"])
    response = handler(event)
    assert response["statusCode"] == 200
    assert response["headers"] == {"Content-Type": "application/json"}
    assert json.loads(response["body"]).items() >= {"Code": 0, "Message": "success"}.items()


def test_a_bad_request_over_https_is_answered_with_a_problem(zim: SimulatorClient, handler: Handler) -> None:
    response = handler(http_event(None))
    assert response["statusCode"] == 400
    assert response["headers"] == {"Content-Type": "application/problem+json"}
    problem = json.loads(response["body"])
    assert (problem["member"], problem["rule"], problem["retryable"]) == ("body", "required", False)
    assert zim.requests() == []


def test_a_caller_who_should_wait_is_told_how_long(zim: SimulatorClient, handler: Handler) -> None:
    zim.fault("code", code=660300005)
    response = handler(http_event('{"FromUserId":"user0","CallId":"call-1"}'))
    assert response["statusCode"] == 429
    assert response["headers"]["Retry-After"] == "1"


def test_invoked_directly_it_returns_zims_answer(zim: SimulatorClient, handler: Handler) -> None:
    event = json.loads((EVENTS / "direct.json").read_text())
    zim.ring(event["FromUserId"], call_id=event["CallId"])
    assert handler(event).keys() == {"Code", "Message", "RequestId"}


@pytest.mark.parametrize(
    ("event", "name", "status"),
    [
        ({"FromUserId": "user0", "CallId": "no-such-call"}, "CallNotFound", 404),
        ({"FromUserId": "user0"}, "InvalidRequest", 400),
        (["FromUserId"], "InvalidRequest", 400),
        ("text", "InvalidRequest", 400),
        (None, "InvalidRequest", 400),
    ],
)
def test_invoked_directly_a_failure_is_an_error_named_for_its_kind(
    zim: SimulatorClient, handler: Handler, event: Any, name: str, status: int
) -> None:
    zim.register("user0")
    with pytest.raises(Exception, match=r"^\{") as raised:
        handler(event)
    assert type(raised.value).__name__ == name
    assert json.loads(str(raised.value))["status"] == status


def test_each_request_is_one_log_line_and_one_count(
    zim: SimulatorClient, handler: Handler, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[tuple[str, str, dict[str, Any]]] = []
    for level in ("info", "error"):
        monkeypatch.setattr(
            telemetry.logger, level, lambda message, extra, level=level: lines.append((level, message, extra))
        )
    handler(http_event(json.dumps({"FromUserId": "user0", "CallId": zim.ring("user0", call_id="call-7")})))
    ((level, message, fields),) = lines
    assert (level, message) == ("info", "ZIM answered 0: done")
    assert fields.pop("zim_request_id").isdecimal()
    assert fields.pop("zim_ms") > 0
    assert fields == {
        "outcome": "Rejected",
        "status": 200,
        "trigger": "http",
        "call_id": "call-7",
        "code": 0,
        "attempts": 1,
        "window_wait_ms": 0.0,
    }
    metrics = json.loads(capsys.readouterr().out)
    assert metrics["Rejected"] == [1.0]
    assert metrics["ZimTime"][0] > 0
    assert metrics["WindowWait"] == [0.0]
    assert metrics["ZimCalls"] == [1.0]
    (directive,) = metrics["_aws"]["CloudWatchMetrics"]
    assert [each["Name"] for each in directive["Metrics"] if each.get("StorageResolution") == 1] == ["ZimCalls"]


def test_no_call_id_breaks_the_line_it_is_logged_in(zim: SimulatorClient, handler: Handler) -> None:
    written = io.StringIO()
    output = logging.StreamHandler(written)
    output.setFormatter(telemetry.logger.registered_formatter)
    logged = logging.getLogger(telemetry.logger.service)
    logged.addHandler(output)
    call_id = 'call\r\n{"level":"x"}\u2028\u0085'
    handler(http_event(json.dumps({"FromUserId": "user0", "CallId": call_id})))
    logged.removeHandler(output)
    (line,) = written.getvalue().splitlines()
    assert json.loads(line)["call_id"] == call_id


def test_our_own_faults_are_logged_as_errors_and_a_request_that_never_reached_zim_has_no_times(
    zim: SimulatorClient, handler: Handler, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    levels: list[str] = []
    for level in ("info", "error"):
        monkeypatch.setattr(telemetry.logger, level, lambda *_, level=level, **__: levels.append(level))
    zim.rotate()
    handler(http_event('{"FromUserId":"user0","CallId":"call-1"}'))
    handler(http_event("{}"))
    assert levels == ["error", "info"]
    refused, invalid = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert refused["ZimRefusesUs"] == [1.0]
    assert invalid["InvalidRequest"] == [1.0]
    assert not {"ZimCalls", "ZimTime"} & invalid.keys()
