"""Dashboard, names of alarms, and saved queries, compared with the metrics and logs of AWS and of the functions."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from local.zim_simulator.running import SimulatorClient
from tests.support.paths import DOCS, EVENTS
from tests.unit.alarms import ALARMS, DEFAULT_BUS, RULE, Metric, alarm_metrics
from tests.unit.doubles import Function, Log
from tests.unit.template import EXPANDED, RESOURCES, properties_by_type, resolve
from zim.aws import client
from zim.errors import CallRejectError
from zim.telemetry import ACCEPTED, REJECTED, hash_user_id

RUNBOOK = (DOCS / "runbook.md").read_text()
OUTCOMES = {error_class.__name__ for error_class in CallRejectError.__subclasses__()} | {REJECTED.name, ACCEPTED.name}

JWT = {**DEFAULT_BUS, "JwtIssuer": "https://issuer.example", "JwtAudience": "app"}
CUSTOM_BUS = {
    **DEFAULT_BUS,
    "EventBusName": "custom",
    "CallRejectRequestedRule.Arn": f"{RULE}/custom/CallRejectRequestedRule",
}

QUERIES: dict[str, dict[str, Any]] = resolve(properties_by_type("AWS::Logs::QueryDefinition", EXPANDED), DEFAULT_BUS)
FUNCTIONS: dict[str, dict[str, Any]] = resolve(properties_by_type("AWS::Serverless::Function"), DEFAULT_BUS)
SERVICES = {each["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]: name for name, each in FUNCTIONS.items()}


# The metrics of AWS in alarms and widgets, and their dimensions. See
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
AWS_METRICS: dict[str, tuple[set[str], list[dict[str, set[str]]]]] = {
    "AWS/ApiGateway": ({"4xx", "5xx", "Count", "Latency"}, [{"ApiId": {"HttpApi"}}]),
    "AWS/Lambda": ({"Errors", "Throttles", "ConcurrentExecutions"}, [{"FunctionName": {*FUNCTIONS}}]),
    "AWS/SQS": (
        {
            "ApproximateAgeOfOldestMessage",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesVisible",
        },
        [{"QueueName": {*properties_by_type("AWS::SQS::Queue")}}],
    ),
    "AWS/Events": (
        {"FailedInvocations", "InvocationsSentToDlq"},
        [
            {"RuleName": {"CallRejectRequestedRule"}},
            {"RuleName": {"CallRejectRequestedRule"}, "EventBusName": {"custom"}},
        ],
    ),
}


def widgets(values: Mapping[str, str] = DEFAULT_BUS) -> list[dict[str, Any]]:
    """Return the properties of the dashboard's widgets.

    See https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html.
    """
    body = json.loads(resolve(RESOURCES["Dashboard"]["Properties"]["DashboardBody"], values))
    return [widget["properties"] for widget in body["widgets"]]


def dashboard_metrics(values: Mapping[str, str] = DEFAULT_BUS) -> Iterator[tuple[Metric, dict[str, Any]]]:
    """Yield each metric that a widget names, with the widget."""
    for widget in widgets(values):
        previous: list[str] = []
        for row in widget.get("metrics", []):
            names = [name for name in row if isinstance(name, str)]
            if not names:
                continue  # an expression
            if names != ["..."]:
                previous = [previous[index] if name == "." else name for index, name in enumerate(names)]
            dimensions = zip(previous[2::2], previous[3::2], strict=True)
            yield Metric(previous[0], previous[1], frozenset(dimensions)), widget


USED_METRICS = {
    *(metric for values in (DEFAULT_BUS, CUSTOM_BUS) for metric, _ in dashboard_metrics(values)),
    *(metric for alarm in ALARMS.values() for metric in alarm_metrics(alarm).values()),
}


def test_metrics_of_aws_exist_with_these_dimensions() -> None:
    for metric in USED_METRICS:
        if metric.namespace == "CallReject":
            continue
        names, dimension_sets = AWS_METRICS[metric.namespace]
        assert metric.name in names
        dimensions = dict(metric.dimensions)
        (values,) = (each for each in dimension_sets if each.keys() == dimensions.keys())
        assert all(value in values[name] for name, value in dimensions.items())


@dataclass
class Telemetry:
    """The measurements (metrics that are no outcomes) with their units, and the log fields of a function."""

    measurements: dict[str, str]
    fields: set[str]


@pytest.fixture
def telemetry(load: Callable[..., Function], zim: SimulatorClient, log: Log, capsys: Any) -> dict[str, Telemetry]:
    """Handle one request with each function and return what it emits."""
    https = json.loads((EVENTS / "CallRejectFunction" / "http_api.json").read_text())
    message = json.loads((EVENTS / "CallRejectQueueFunction" / "bare.json").read_text())
    queue = client("sqs").create_queue(QueueName="calls")["QueueUrl"]
    ended, not_found = 660900005, 660900004

    def run(folder: str, event: dict[str, Any]) -> Telemetry:
        zim.fault("code", code=ended)
        variables = {} if folder == "call_reject_queue" else {"JWT_USER_CLAIM": "sub", "EXPIRES_AFTER_SECONDS": "90"}
        function = load(folder, QUEUE_URL=queue, DEAD_LETTER_QUEUE_URL=queue, **variables)
        capsys.readouterr()
        before = len(log.lines)
        function(event)
        if folder == "call_reject":
            zim.fault("code", code=not_found)
            function({"CanaryUserId": "canary"})
        fields = {name for line in log.lines[before:] for name in line}
        units: dict[str, str] = {}
        for line in capsys.readouterr().out.splitlines():
            (directive,) = json.loads(line)["_aws"]["CloudWatchMetrics"]
            assert (directive["Namespace"], directive["Dimensions"]) == ("CallReject", [["service"]])
            units |= {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]}
        return Telemetry({name: unit for name, unit in units.items() if name not in OUTCOMES}, fields)

    return {
        "CallRejectFunction": run("call_reject", https),
        "CallRejectAsyncFunction": run("call_reject_async", https),
        "CallRejectQueueFunction": run("call_reject_queue", message),
    }


def test_the_dashboard_shows_every_measurement_with_its_unit(telemetry: dict[str, Telemetry]) -> None:
    shown = {
        (SERVICES[dict(metric.dimensions)["service"]], metric.name, widget["title"])
        for metric, widget in dashboard_metrics()
        if metric.namespace == "CallReject"
    }
    assert {(function, name) for function, name, _ in shown} == {
        (function, name) for function, each in telemetry.items() for name in each.measurements
    }
    for function, name, title in shown:
        (unit,) = re.findall(r"\((ms|s)\)$", title) or [""]
        assert telemetry[function].measurements[name] == {"ms": "Milliseconds", "s": "Seconds", "": "Count"}[unit]


def test_the_dashboard_searches_for_the_outcomes_of_each_function(telemetry: dict[str, Telemetry]) -> None:
    """The search excludes exactly the measurements, so every other metric of the function is an outcome."""
    pattern = r"""SEARCH\('\{CallReject,service\} service="([^"]+)"((?: NOT MetricName="\w+")*)', 'Sum', 60\)"""
    rows = [row for widget in widgets() for row in widget.get("metrics", []) if isinstance(row[0], dict)]
    searches = [re.fullmatch(pattern, row[0]["expression"]) for row in rows]
    excluded = {SERVICES[found[1]]: set(re.findall(r'"(\w+)"', found[2])) for found in searches if found}
    assert excluded == {function: {*each.measurements} for function, each in telemetry.items()}


def test_alarms_watch_custom_metrics_that_the_functions_emit(telemetry: dict[str, Telemetry]) -> None:
    for alarm in ALARMS.values():
        for metric in alarm_metrics(alarm).values():
            if metric.namespace == "CallReject":
                ((dimension, service),) = metric.dimensions
                assert dimension == "service"
                assert metric.name in OUTCOMES | telemetry[SERVICES[service]].measurements.keys()


def test_alarms_exist_for_a_topic_or_a_gradual_deployment_and_notify_the_topic() -> None:
    topic = {**DEFAULT_BUS, "CanaryUserId": "canary", "AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:on-call"}
    for alarm in (resource for resource in EXPANDED.values() if resource["Type"] == "AWS::CloudWatch::Alarm"):
        assert not resolve({"Condition": alarm["Condition"]}, {**DEFAULT_BUS, "CanaryUserId": "canary"})
        assert resolve({"Condition": alarm["Condition"]}, topic)
        assert resolve({"Condition": alarm["Condition"]}, {**topic, "AlarmTopicArn": "", "GradualDeployment": "true"})
        for actions in ("AlarmActions", "OKActions"):
            assert resolve(alarm["Properties"], topic)[actions] == [topic["AlarmTopicArn"]]
            assert actions not in resolve(alarm["Properties"], DEFAULT_BUS)


def test_each_alarm_and_query_is_in_the_runbook() -> None:
    sections = set(re.findall(r"^## (.*)$", RUNBOOK, re.MULTILINE))
    for alarm in ALARMS.values():
        _, _, name = alarm["AlarmName"].partition(" - ")
        assert name in sections
        assert alarm["AlarmDescription"].endswith(f'See "{name}" in docs/runbook.md.')
    assert set(re.findall(r"`<stack>/(\w[^`]+)`", RUNBOOK)) == {
        each["Name"].partition("/")[2] for each in QUERIES.values()
    }


KEYWORDS = {
    *("fields", "filter", "stats", "sort", "limit", "by", "as", "in", "not", "and", "or", "like", "asc", "desc"),
    *("count", "count_distinct", "latest", "max", "pct", "bin", "ispresent", "@timestamp", "@message"),
}
"""Keywords, functions and built-in fields of CloudWatch Logs Insights in the queries."""


def query_fields(query: str) -> set[str]:
    """Return the log fields in a query, without literals, keywords and aliases."""
    code = re.sub(r'"[^"]*"|/[^/]*/', "", query)
    aliases = re.findall(r"\bas (\w+)", code)
    return set(re.findall(r"(?<!\d)[@a-zA-Z]\w*", code)) - KEYWORDS - {*aliases}


def access_log_format(values: Mapping[str, str]) -> str:
    text: str = resolve(RESOURCES["HttpApiStage"]["Properties"]["AccessLogSettings"]["Format"], values)
    return text


def test_the_access_log_names_the_user_of_a_token() -> None:
    """See https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html."""
    assert "userId" not in json.loads(access_log_format(DEFAULT_BUS))
    log = json.loads(access_log_format({**JWT, "JwtUserClaim": "username"}))
    assert log["userId"] == "$context.authorizer.claims.username"
    assert "\n" not in access_log_format(JWT)


def test_the_user_in_the_saved_query_is_the_one_in_the_log() -> None:
    ((hashed, user_id),) = re.findall(r'user = "(\w+)" or userId = "(\w+)"', QUERIES["UserHistoryQuery"]["QueryString"])
    assert hash_user_id(user_id) == hashed


def test_queries_use_fields_and_outcomes_that_are_logged(telemetry: dict[str, Telemetry]) -> None:
    access_log = json.loads(access_log_format(JWT))
    logged = {FUNCTIONS[name]["LoggingConfig"]["LogGroup"]: each.fields for name, each in telemetry.items()}
    logged["HttpApiLogGroup"] = {*access_log}
    (widget_query,) = (widget["query"] for widget in widgets() if "query" in widget)
    groups, query = re.findall(r"SOURCE '(\w+)'", widget_query), re.sub(r"SOURCE '\w+' \| ", "", widget_query)
    for log_groups, text in [
        (groups, query),
        *((each["LogGroupNames"], each["QueryString"]) for each in QUERIES.values()),
    ]:
        assert query_fields(text)
        assert query_fields(text) <= set[str]().union(*(logged[group] for group in log_groups))
        assert set(re.findall(r'"([A-Z]\w+)"', text)) <= OUTCOMES
