"""Dashboard, alarms and saved queries, held against what the functions and AWS really emit, and against the runbook."""

import io
import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest

import http_api
from local.processes import HOST, free_port
from local.zim_simulator.running import SimulatorClient
from tests.unit.template import EXPANDED, GIVEN, RESOURCES, ROOT, of_type, resolved
from zim import server_api, telemetry

type Handler = Callable[[Any], Any]

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
SECTIONS = {section.partition("\n")[0]: section for section in re.split(r"^## ", RUNBOOK, flags=re.MULTILINE)[1:]}

# Resources go by their logical ids here, whichever way the template names them.
RULE = "arn:aws:events:us-east-1:123456789012:rule"
NAMED = {
    **GIVEN,
    **{name: name for name in RESOURCES},
    **{f"{name}.QueueName": name for name in RESOURCES},
    "CallRejectRequestedRule.Arn": f"{RULE}/CallRejectRequestedRule",
}
ON_ANOTHER_BUS = {
    **NAMED,
    "EventBusName": "mine",
    "CallRejectRequestedRule.Arn": f"{RULE}/mine/CallRejectRequestedRule",
}

ALARMS: dict[str, dict[str, Any]] = resolved(of_type("AWS::CloudWatch::Alarm", EXPANDED), NAMED)
QUERIES: dict[str, dict[str, Any]] = resolved(of_type("AWS::Logs::QueryDefinition", EXPANDED), NAMED)
every_alarm = pytest.mark.parametrize("alarm", ALARMS.values(), ids=ALARMS)


@dataclass(frozen=True)
class Metric:
    """A metric as CloudWatch knows it: another namespace, name, dimension or value of one, and it is another metric."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]


# The metrics of AWS's own that are used here, and the dimensions that they have. From AWS's documentation:
# API Gateway, "Monitor CloudWatch metrics for HTTP APIs": ApiId alone, or with Stage; by route if asked for
# Lambda, "Types of metrics for Lambda functions"; "Viewing metrics": FunctionName aggregates all versions and aliases
# SQS, "Available CloudWatch metrics for Amazon SQS": QueueName
# EventBridge, "Monitoring Amazon EventBridge": RuleName on the default bus, EventBusName and RuleName on any other
AWS: dict[str, tuple[set[str], list[dict[str, set[str]]]]] = {
    "AWS/ApiGateway": ({"4xx", "5xx", "Count", "Latency"}, [{"ApiId": {"HttpApi"}}]),
    "AWS/Lambda": (
        {"Errors", "Throttles", "ConcurrentExecutions"},
        [{"FunctionName": {*of_type("AWS::Serverless::Function")}}],
    ),
    "AWS/SQS": (
        {
            "ApproximateAgeOfOldestMessage",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesVisible",
        },
        [{"QueueName": {*of_type("AWS::SQS::Queue")}}],
    ),
    "AWS/Events": (
        {"FailedInvocations", "InvocationsSentToDlq"},
        [
            {"RuleName": {"CallRejectRequestedRule"}},
            {"RuleName": {"CallRejectRequestedRule"}, "EventBusName": {"mine"}},
        ],
    ),
}


def widgets(given: Mapping[str, str] = NAMED) -> list[dict[str, Any]]:
    """Return the properties of the dashboard's widgets (CloudWatch, "Dashboard Body Structure and Syntax")."""
    body = json.loads(resolved(RESOURCES["Dashboard"]["Properties"]["DashboardBody"], given))
    return [widget["properties"] for widget in body["widgets"]]


def in_dashboard(given: Mapping[str, str] = NAMED) -> Iterator[tuple[Metric, dict[str, Any]]]:
    """Give each metric with its widget."""
    for widget in widgets(given):
        before: list[str] = []
        for row in widget.get("metrics", []):
            names = [name for name in row if isinstance(name, str)]
            if names != ["..."]:
                before = [before[at] if name == "." else name for at, name in enumerate(names)]
            dimensions = zip(before[2::2], before[3::2], strict=True)
            yield Metric(before[0], before[1], frozenset(dimensions)), widget


def in_alarm(alarm: dict[str, Any]) -> dict[str, Metric]:
    """Return an alarm's metrics, by the names that its expression gives them."""
    stats = {each["Id"]: each["MetricStat"]["Metric"] for each in alarm.get("Metrics", []) if "MetricStat" in each}
    return {
        name: Metric(
            metric["Namespace"],
            metric["MetricName"],
            frozenset((dimension["Name"], dimension["Value"]) for dimension in metric["Dimensions"]),
        )
        for name, metric in (stats or {"value": alarm}).items()
    }


WATCHED = {
    *(metric for given in (NAMED, ON_ANOTHER_BUS) for metric, _ in in_dashboard(given)),
    *(metric for alarm in ALARMS.values() for metric in in_alarm(alarm).values()),
}


def test_every_metric_of_awss_that_is_watched_is_one_with_these_dimensions() -> None:
    for metric in WATCHED:
        if metric.namespace == "CallReject":
            continue
        names, known = AWS[metric.namespace]
        assert metric.name in names
        asked = dict(metric.dimensions)
        (values,) = (each for each in known if each.keys() == asked.keys())
        assert all(value in values[name] for name, value in asked.items())


@dataclass
class Seen:
    """What the functions printed: their metrics with the units, and the names in their log lines by log group."""

    units: dict[Metric, str] = field(default_factory=dict)
    fields: dict[str, set[str]] = field(default_factory=dict)


@pytest.fixture
def seen(load: Callable[..., Handler], zim: SimulatorClient, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Take each function to every outcome that it can come to."""
    monkeypatch.setattr(server_api, "READ_SECONDS", 0.5)
    queue, dead = (boto3.resource("sqs").create_queue(QueueName=name) for name in ("calls", "dead"))
    everything = Seen()

    def run(function: str, folder: str, *events: Any, **environment: str) -> None:
        properties = resolved(RESOURCES[function]["Properties"], NAMED)
        monkeypatch.setattr(
            telemetry.metrics, "service", properties["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
        )
        handler = load(folder, **{"QUEUE_URL": queue.url, "DEAD_LETTER_QUEUE_URL": dead.url, **environment})
        capsys.readouterr()
        written = io.StringIO()
        output = logging.StreamHandler(written)
        output.setFormatter(telemetry.logger.registered_formatter)
        logger = logging.getLogger(telemetry.logger.service)
        logger.addHandler(output)
        for event in events:
            handler(event)
        logger.removeHandler(output)
        names = everything.fields.setdefault(properties["LoggingConfig"]["LogGroup"], set())
        names.update(name for line in written.getvalue().splitlines() for name in json.loads(line))
        for line in capsys.readouterr().out.splitlines():
            printed = json.loads(line)
            (directive,) = printed["_aws"]["CloudWatchMetrics"]
            (dimensions,) = directive["Dimensions"]
            values = frozenset((name, printed[name]) for name in dimensions)
            for metric in directive["Metrics"]:
                everything.units[Metric(directive["Namespace"], metric["Name"], values)] = metric["Unit"]

    request = json.dumps({"FromUserId": "user0", "CallId": "call-1"})
    codes = (2, 3, 7, 1, -1, 660500002, 660900004, 660900005)

    def message(body: str, age: float = 0.0) -> dict[str, Any]:
        queue.send_message(MessageBody=body)
        (received,) = queue.receive_messages(VisibilityTimeout=600)
        sent = str(int((time.time() - age) * 1000))
        attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": sent}
        record = {"messageId": "1", "receiptHandle": received.receipt_handle, "body": body, "attributes": attributes}
        return {"Records": [{**record, "eventSource": "aws:sqs"}]}

    https: dict[str, Any] = json.loads((ROOT / "events" / "CallRejectFunction" / "http_api.json").read_text())
    nowhere = f"http://{HOST}:{free_port()}"
    asked: Callable[[], Any]
    for function, folder, asked in (
        ("CallRejectFunction", "call_reject", lambda: {**https, "body": request}),
        ("CallRejectQueueFunction", "call_reject_queue", lambda: message(request)),
    ):
        zim.reset()
        zim.ring("user0", call_id="call-1")
        run(function, folder, asked())
        zim.fault("hang")
        run(function, folder, asked())
        zim.clear_faults()
        for code in codes:
            zim.fault("code", code=code)
        run(function, folder, *(asked() for _ in codes))
        run(function, folder, asked(), ZIM_API_BASE_URL=nowhere)
        run(function, folder, asked(), ZIM_SECRET_ID="missing")
    run("CallRejectQueueFunction", "call_reject_queue", message(request, age=700))
    run("CallRejectAsyncFunction", "call_reject_async", {**https, "body": request}, {**https, "body": "{}"})
    run("CallRejectAsyncFunction", "call_reject_async", {**https, "body": request}, QUEUE_URL=f"{queue.url}-gone")
    monkeypatch.setattr(http_api, "JWT_USER_CLAIM", "sub")
    for function, folder in (("CallRejectFunction", "call_reject"), ("CallRejectAsyncFunction", "call_reject_async")):
        run(function, folder, {**https, "body": request, "requestContext": {"requestId": "request-1"}})
    return everything


def test_every_metric_of_ours_that_is_watched_is_emitted_and_every_one_emitted_is_watched(seen: Seen) -> None:
    """Each widget's title tells the unit."""
    assert {metric for metric in WATCHED if metric.namespace == "CallReject"} == seen.units.keys()
    for metric, widget in in_dashboard():
        if metric in seen.units:
            (unit,) = re.findall(r"\((ms|s)\)$", widget["title"]) or ["a count"]
            assert {"ms": "Milliseconds", "s": "Seconds", "a count": "Count"}[unit] == seen.units[metric]


def test_calls_to_zim_are_shown_for_each_second_beside_the_limit() -> None:
    shown = [widget for metric, widget in in_dashboard() if metric.name == "ZimCalls"]
    assert len(shown) == 2
    for widget in shown:
        assert (widget["period"], widget["stat"], widget["stacked"]) == (1, "Sum", True)
        assert [line["value"] for line in widget["annotations"]["horizontal"]] == [20]


def test_latencies_are_shown_at_three_percentiles() -> None:
    latencies = [widget for widget in widgets() if widget["title"].endswith("(ms)")]
    assert len(latencies) == 3
    for widget in latencies:
        assert {row[-1]["stat"] for row in widget["metrics"]} == {"p50", "p95", "p99"}


@every_alarm
def test_an_alarm_says_what_happened_and_which_section_of_the_runbook_helps(alarm: dict[str, Any]) -> None:
    stack, _, name = alarm["AlarmName"].partition(" - ")
    what, _, where = alarm["AlarmDescription"].partition(" See ")
    assert stack == GIVEN["AWS::StackName"]
    assert what.endswith(".")
    assert where == f'"{name}" in docs/runbook.md.'
    section = SECTIONS[name]
    assert [part for part in ("What users feel", "How to look", "What to do") if f"**{part}.**" not in section] == []


def test_alarms_are_for_a_topic_which_is_told_of_their_beginning_and_end_and_for_gradual_deploys() -> None:
    alarms = [resource for resource in EXPANDED.values() if resource["Type"] == "AWS::CloudWatch::Alarm"]
    topic = {**NAMED, "AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:on-call"}
    for alarm in alarms:
        assert not resolved({"Condition": alarm["Condition"]}, NAMED)
        assert resolved({"Condition": alarm["Condition"]}, topic)
        assert resolved({"Condition": alarm["Condition"]}, {**NAMED, "GradualDeployment": "true"})
        for actions in ("AlarmActions", "OKActions"):
            assert resolved(alarm["Properties"], topic)[actions] == [topic["AlarmTopicArn"]]
            assert actions not in resolved(alarm["Properties"], NAMED)
        assert alarm["Properties"]["TreatMissingData"] == "notBreaching"


def breaching(alarm: dict[str, Any], values: dict[str, float]) -> bool:
    """Tell whether one period breaches; values that are missing count as 0 (CloudWatch, "Using metric math")."""
    assert values.keys() <= in_alarm(alarm).keys()
    (expression,) = [each["Expression"] for each in alarm.get("Metrics", []) if "Expression" in each] or ["value"]
    functions = {"IF": lambda condition, this, that: this if condition else that}
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    names = {**dict.fromkeys(in_alarm(alarm), 0.0), **values, **functions}
    result: float = eval(expression, {"__builtins__": {}}, names)  # noqa: S307 - metric math reads as Python does here
    threshold: float = alarm["Threshold"]
    return result > threshold


@pytest.mark.parametrize(
    ("alarm", "values", "rings"),
    [
        ("ZimRefusesUsAlarm", {"https": 1}, True),
        ("ZimRefusesUsAlarm", {"queue": 1}, True),
        ("ZimRefusesUsAlarm", {"unreadable_https": 1}, True),
        ("ZimRefusesUsAlarm", {"unreadable_queue": 1}, True),
        ("RequestsFailAlarm", {"failed": 4, "requests": 4}, False),
        ("RequestsFailAlarm", {"failed": 5, "requests": 99}, True),
        ("RequestsFailAlarm", {"failed": 5, "requests": 100}, False),
        ("AnswersAreSlowAlarm", {"value": 3000}, False),
        ("AnswersAreSlowAlarm", {"value": 3001}, True),
        ("ThrottlingLastsAlarm", {"https": 1}, True),
        ("ThrottlingLastsAlarm", {"https_async": 1}, True),
        ("MessagesAreOldAlarm", {"waiting": 60, "tried": 60}, False),
        ("MessagesAreOldAlarm", {"waiting": 61}, True),
        ("MessagesAreOldAlarm", {"waiting": 3, "tried": 61}, True),
        ("RequestsAreDroppedAlarm", {"value": 1}, True),
        ("RequestsAreDroppedAlarm", {"value": 0}, False),
        ("DeadLettersAlarm", {"value": 1}, True),
        ("DeadLettersAlarm", {"value": 0}, False),
    ],
)
def test_an_alarm_rings_beyond_its_threshold_and_not_at_it(
    alarm: str, values: dict[str, float], *, rings: bool
) -> None:
    assert breaching(ALARMS[alarm], values) is rings


def test_an_alarm_rings_for_each_of_its_metrics() -> None:
    """The dead letters' alarm watches the dead letters, and so on: what it is about is what it is of."""
    of = {name: {metric.name for metric in in_alarm(alarm).values()} for name, alarm in ALARMS.items()}
    assert of == {
        "ZimRefusesUsAlarm": {"ZimRefusesUs", "SecretUnreadable"},
        "RequestsFailAlarm": {"5xx", "Count"},
        "AnswersAreSlowAlarm": {"Latency"},
        "ThrottlingLastsAlarm": {"Throttles"},
        "MessagesAreOldAlarm": {"ApproximateAgeOfOldestMessage", "MessageAge"},
        "RequestsAreDroppedAlarm": {"TooOld"},
        "DeadLettersAlarm": {"ApproximateNumberOfMessagesVisible"},
    }
    (letters,) = in_alarm(ALARMS["DeadLettersAlarm"]).values()
    assert dict(letters.dimensions) == {"QueueName": "CallRejectDeadLetterQueue"}


WORDS = {
    *("fields", "filter", "stats", "sort", "limit", "by", "as", "in", "not", "and", "or", "like", "asc", "desc"),
    *("count", "count_distinct", "latest", "max", "pct", "bin", "ispresent", "@timestamp", "@message"),
}
"""Of Logs Insights' language, what the queries use."""


def names_in(query: str) -> set[str]:
    """Return the names of fields in a query: what is neither text nor a word of the language nor a name given here."""
    bare = re.sub(r'"[^"]*"|/[^/]*/', "", query)
    given = re.findall(r"\bas (\w+)", bare)
    return set(re.findall(r"(?<!\d)[@a-zA-Z]\w*", bare)) - WORDS - {*given}


def test_the_queries_ask_for_what_is_logged_where_they_look(seen: Seen) -> None:
    access_log = json.loads(RESOURCES["HttpApiStage"]["Properties"]["AccessLogSettings"]["Format"])
    logged = {"HttpApiLogGroup": {*access_log}, **seen.fields}
    (shown,) = (widget["query"] for widget in widgets() if "query" in widget)
    sources, query = re.findall(r"SOURCE '(\w+)'", shown), re.sub(r"SOURCE '\w+' \| ", "", shown)
    assert sources == ["CallRejectLogGroup", "CallRejectQueueLogGroup"]
    for groups, text in [
        (sources, query),
        *((each["LogGroupNames"], each["QueryString"]) for each in QUERIES.values()),
    ]:
        assert names_in(text)
        assert names_in(text) - set[str]().union(*(logged[group] for group in groups)) == set()


def test_the_queries_are_the_same_in_the_runbook_and_saved() -> None:
    saved = {query["Name"].partition("/")[2]: query["QueryString"] for query in QUERIES.values()}
    written = dict(re.findall(r"`<stack>/([^`]+)`[^\n]*:\n\n```\n(.*?)\n```", RUNBOOK, re.DOTALL))
    assert written == saved
    for name in saved.keys() & SECTIONS.keys():
        assert f"`<stack>/{name}`" in SECTIONS[name]


def test_the_runbook_counts_what_costs() -> None:
    ours = {metric for metric in WATCHED if metric.namespace == "CallReject"}
    alarmed = sum(len(in_alarm(alarm)) for alarm in ALARMS.values())
    shown = {metric for metric, _ in in_dashboard()}
    costs = " ".join(SECTIONS["What it costs"].split())
    assert f"each of the {alarmed} metrics that alarms watch" in costs
    assert f"each of the {len(ours)} metrics of our own" in costs
    assert len(shown) > 50
    assert f"${3 + 0.1 * alarmed + 0.3 * len(ours):.2f}" in costs
