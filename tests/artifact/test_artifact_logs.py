"""The logs: one line and the metrics of each request, and no secrets at any level."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.lambda_runtime import FUNCTION, LAYER, environment
from local.zim_simulator.faults import Kind
from local.zim_simulator.running import SimulatorClient
from local.zim_simulator.zim import SERVER_SECRET
from tests.artifact.conftest import StartFunction
from tests.artifact.runtime import DEBUG_LOGS, EXTENDED_DATA, HTTP_EVENT, REQUEST, Function, run_function
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
"""All faults that end immediately."""


@pytest.fixture(scope="module")
def default_function(start: StartFunction) -> Iterator[Function]:
    """A function with the log settings of the template."""
    with start() as running:
        yield running


@pytest.mark.parametrize(
    ("outcome", "level", "code"), [("Rejected", "INFO", 0), ("ZimUnavailable", "ERROR", 1)], ids=["success", "failure"]
)
@pytest.mark.parametrize("trigger", ["http", "direct"])
def test_a_request_logs_one_line_and_its_metrics(
    trigger: str, outcome: str, level: str, code: int, ringing: SimulatorClient, default_function: Function
) -> None:
    if code:
        ringing.fault("code", code=code)
    if trigger == "http":
        default_function.reject()
    else:
        default_function.invoke(REQUEST)
    line = default_function.line()
    assert (line["outcome"], line["level"], line["trigger"]) == (outcome, level, trigger)
    assert (line["code"], line["attempts"], line["call_id"]) == (code, 1, REQUEST["CallId"])
    assert line["function_request_id"] == "request-1"
    assert line.get("correlation_id") == (HTTP_EVENT["requestContext"]["requestId"] if trigger == "http" else None)
    (metrics,) = default_function.lines("_aws")
    (directive,) = metrics["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("CallReject", [["service"]])
    assert (metrics["service"], metrics[outcome], metrics["ZimCalls"]) == ("call-reject", [1.0], [1.0])
    assert (metrics["WindowWait"], metrics["ZimTime"]) == ([line["window_wait_ms"]], [line["zim_ms"]])


def test_libraries_log_nothing_by_default(default_function: Function) -> None:
    assert default_function.post(None).status == 400
    assert "[INFO]\t" not in default_function.log.read_text()


@pytest.mark.parametrize(
    "levels",
    [
        {},
        {"POWERTOOLS_LOG_LEVEL": "DEBUG", "AWS_LAMBDA_LOG_LEVEL": "DEBUG"},
        {**DEBUG_LOGS, "POWERTOOLS_DEBUG": "true", "POWERTOOLS_LOGGER_LOG_EVENT": "true"},
    ],
    ids=["defaults", "text at DEBUG", "JSON at DEBUG, with the debug settings of Powertools"],
)
def test_no_secret_no_signature_and_no_extended_data_is_logged(
    levels: dict[str, str],
    ringing: SimulatorClient,
    secrets_manager: SecretsManager,
    start: StartFunction,
    forbidden_texts: list[str],
) -> None:
    secrets_manager.put("logged", CREDENTIALS)
    with start(ZIM_SECRET_ID="logged", **levels) as function:
        assert function.reject().status == 200
        for fault in FAULTS:
            ringing.fault(fault, times=2 if fault == "cut_before" else 1)
            assert function.reject().status >= 500
        for event in (REQUEST, {**REQUEST, "CallId": ""}, [REQUEST], EXTENDED_DATA):
            assert "errorType" in function.invoke(event)
        forbidden_texts.append(ringing.rotate())
        secrets_manager.put("logged", {**CREDENTIALS, "ServerSecret": forbidden_texts[-1]})
        assert function.reject().status == 409
    signatures = [record.parameters["Signature"] for record in ringing.requests()]
    log = function.log.read_text()
    assert len(signatures) > 10
    assert not [text for text in [*forbidden_texts, *signatures] if text in log]


def test_without_the_settings_of_the_layer_the_libraries_would_log_all_three(
    ringing: SimulatorClient, secrets_manager: SecretsManager, tmp_path: Path
) -> None:
    """Proves that the tests above can fail: the log levels are right, and the search finds the texts."""
    (tmp_path / "verbose.py").write_text(
        "import logging\n"
        "from app import handler, service\n"
        "for name in ('botocore', 'urllib3'):\n"
        "    logging.getLogger(name).setLevel(logging.NOTSET)\n"
        "service.reset()  # so that the request reads the secret\n"
    )
    settings = environment(
        PYTHONPATH=f"{tmp_path}:{FUNCTION}:{LAYER}",
        ZIM_API_BASE_URL=ringing.url,
        AWS_ENDPOINT_URL_SECRETS_MANAGER=secrets_manager.url,
        **DEBUG_LOGS,
    )
    with run_function(tmp_path / "log", settings, "verbose.handler") as function:
        assert function.reject().status == 200
        output = function.output()
    (record,) = ringing.requests()
    assert SERVER_SECRET in output
    assert record.parameters["Signature"] in output
    assert EXTENDED_DATA in output
