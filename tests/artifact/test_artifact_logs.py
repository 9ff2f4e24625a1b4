"""What operators see: one line and the metrics of each request; and what is nobody's to see, at whatever level."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from local.lambda_runtime import FUNCTION, LAYER, environment
from local.zim_simulator.faults import Kind
from local.zim_simulator.running import SimulatorClient
from local.zim_simulator.zim import SERVER_SECRET
from tests.artifact.runtime import HTTP_EVENT, LOUD, PLANTED, REQUEST, Function, Start, started
from tests.artifact.secrets_manager import CREDENTIALS, SecretsManager

FAULTS: tuple[Kind, ...] = (
    "cut_before",
    "cut_middle",
    "html",
    "http_500",
    "redirect",
    "huge",
    "no_code",
    "not_object",
    "code",
)
"""All that are over at once; the others befall the function that other tests use, which logs all it can, too."""


@pytest.fixture(scope="module")
def quiet(start: Start) -> Iterator[Function]:
    """A function that logs as the template's defaults let it."""
    with start() as running:
        yield running


@dataclass(frozen=True)
class Case:
    """The answer that ZIM gives where it is not its own, what is changed in the request, and what the line says."""

    name: str
    status: int
    level: str
    attempts: int
    code: int | None
    fault: Kind | None = None
    changes: dict[str, str] = field(default_factory=dict)


CASES = (
    Case("Rejected", 200, "INFO", 1, 0),
    Case("CallNotFound", 404, "INFO", 1, 660900004, changes={"CallId": "none"}),
    Case("ZimInTrouble", 503, "ERROR", 1, 1, fault="code"),
    Case("UnexpectedAnswer", 502, "ERROR", 1, None, fault="html"),
    Case("InvalidRequest", 400, "INFO", 0, None, changes={"CallId": ""}),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("trigger", ["http", "direct"])
def test_a_request_has_exactly_one_structured_line_and_its_metrics(
    trigger: str, case: Case, ringing: SimulatorClient, quiet: Function
) -> None:
    if case.fault:
        ringing.fault(case.fault)
    request = {**REQUEST, **case.changes}
    answer = quiet.post(json.dumps(request)).members if trigger == "http" else quiet.invoke(request)
    told = json.loads(answer["errorMessage"]) if "errorMessage" in answer else answer
    line = quiet.line()
    assert (line["outcome"], line["status"], line["level"]) == (case.name, case.status, case.level)
    assert (line["trigger"], line["attempts"], line.get("code")) == (trigger, case.attempts, case.code)
    assert line["message"]
    assert f"START RequestId: {line['function_request_id']} " in quiet.output()
    assert line.get("zim_request_id") == told.get("RequestId")
    assert line.get("call_id") == (request["CallId"] or None)
    assert line.get("correlation_id") == (HTTP_EVENT["requestContext"]["requestId"] if trigger == "http" else None)
    assert line["window_wait_ms"] >= 0
    assert (line["zim_ms"] > 0) is (case.attempts > 0)
    assert_counted(quiet, line)


def assert_counted(function: Function, line: dict[str, Any]) -> None:
    """Hold the metrics of the last invocation, in CloudWatch's embedded format, against its line."""
    (metrics,) = function.lines("_aws")
    (directive,) = metrics["_aws"]["CloudWatchMetrics"]
    units = {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]}
    counts = {line["outcome"]: 1, **({"ZimCalls": line["attempts"]} if line["attempts"] else {})}
    times = {"WindowWait": line["window_wait_ms"], "ZimTime": line["zim_ms"]} if line["attempts"] else {}
    assert directive["Namespace"] == "CallReject"
    assert directive["Dimensions"] == [["service"]]
    assert metrics["service"] == "call-reject"
    assert units == {**dict.fromkeys(counts, "Count"), **dict.fromkeys(times, "Milliseconds")}
    told = counts | times
    assert {name: metrics[name] for name in told} == {name: [value] for name, value in told.items()}


def test_the_libraries_write_nothing_at_the_templates_defaults(zim: SimulatorClient, quiet: Function) -> None:
    assert quiet.post(None).status == 400
    assert zim.requests() == []
    assert "[INFO]\t" not in quiet.log.read_text()  # the emulator writes a space after its level, the runtime a tab


def test_a_log_level_of_warning_keeps_the_lines_of_what_went_well(ringing: SimulatorClient, start: Start) -> None:
    with start(POWERTOOLS_LOG_LEVEL="WARNING") as function:
        assert function.reject().status == 200
        assert function.lines("outcome") == []
        assert len(function.lines("_aws")) == 1
        ringing.fault("code", code=1)
        function.reject()
        assert function.line()["outcome"] == "ZimInTrouble"


@pytest.mark.parametrize(
    "levels",
    [
        {},
        {"POWERTOOLS_LOG_LEVEL": "DEBUG", "AWS_LAMBDA_LOG_LEVEL": "DEBUG"},
        {**LOUD, "POWERTOOLS_DEBUG": "true", "POWERTOOLS_LOGGER_LOG_EVENT": "true"},
    ],
    ids=["defaults", "text at DEBUG", "JSON at DEBUG, with Powertools' own"],
)
def test_neither_secret_nor_signature_nor_extended_data_is_written_whatever_happens(
    levels: dict[str, str],
    ringing: SimulatorClient,
    secrets_manager: SecretsManager,
    start: Start,
    unspeakable: list[str],
) -> None:
    secrets_manager.put("rotated", CREDENTIALS)
    with start(ZIM_SECRET_ID="rotated", **levels) as function:
        assert function.reject().status == 200
        for fault in FAULTS:
            ringing.fault(fault, times=2 if fault == "cut_before" else 1)
            assert function.reject().status >= 500
        for event in (REQUEST, {**REQUEST, "CallId": ""}, [REQUEST], PLANTED):
            assert "errorType" in function.invoke(event)
        unspeakable.append(ringing.rotate())
        secrets_manager.put("rotated", {**CREDENTIALS, "ServerSecret": unspeakable[-1]})
        assert function.reject().status == 409
    signatures = [record.parameters["Signature"] for record in ringing.requests()]
    written = function.log.read_text()
    assert len(signatures) > 10
    assert not [text for text in [*unspeakable, *signatures] if text in written]


def test_the_search_finds_what_the_libraries_would_write_at_these_levels(
    ringing: SimulatorClient, secrets_manager: SecretsManager, tmp_path: Path
) -> None:
    """Without what the layer does about it, all three are there: the levels are what they seem, and searching works."""
    (tmp_path / "talkative.py").write_text(
        "import logging\n"
        "from app import handler\n"
        "for name in ('botocore', 'urllib3'):\n"
        "    logging.getLogger(name).setLevel(logging.NOTSET)\n"
    )
    talkative = environment(
        PYTHONPATH=f"{tmp_path}:{FUNCTION}:{LAYER}",
        ZIM_API_BASE_URL=ringing.url,
        AWS_ENDPOINT_URL_SECRETS_MANAGER=secrets_manager.url,
        **LOUD,
    )
    with started(tmp_path / "log", talkative, "talkative.handler") as function:
        assert function.reject().status == 200
        written = function.output()
    (record,) = ringing.requests()
    assert SERVER_SECRET in written
    assert record.parameters["Signature"] in written
    assert PLANTED in written
