"""The alarms of `template.yaml`, evaluated like CloudWatch does."""

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.unit.template import EXPANDED, PARAMETER_VALUES, RESOURCES, properties_by_type, resolve

# References resolve to logical ids.
RULE = "arn:aws:events:us-east-1:123456789012:rule"
DEFAULT_BUS = {
    **PARAMETER_VALUES,
    **{name: name for name in RESOURCES},
    **{f"{name}.QueueName": name for name in RESOURCES},
    "CallRejectRequestedRule.Arn": f"{RULE}/CallRejectRequestedRule",
}
ALARMS: dict[str, dict[str, Any]] = resolve(properties_by_type("AWS::CloudWatch::Alarm", EXPANDED), DEFAULT_BUS)


@dataclass(frozen=True)
class Metric:
    """The identity of a metric in CloudWatch."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]


type Samples = Mapping[tuple[str, str], Mapping[int, Sequence[float]]]
"""The samples of each metric in each minute. A metric is its name and the value of its dimension."""


def alarm_metrics(alarm: dict[str, Any]) -> dict[str, Metric]:
    """Return the metrics of an alarm by the ids in its expression, or by `value` if it has none."""
    metrics = {each["Id"]: each["MetricStat"]["Metric"] for each in alarm.get("Metrics", []) if "MetricStat" in each}
    return {
        name: Metric(
            metric["Namespace"],
            metric["MetricName"],
            frozenset((dimension["Name"], dimension["Value"]) for dimension in metric["Dimensions"]),
        )
        for name, metric in (metrics or {"value": alarm}).items()
    }


_ARITHMETIC: dict[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
}


def evaluate(expression: str, values: Mapping[str, float | None]) -> float | None:
    """Evaluate metric math for one period. None is a missing data point.

    A missing data point counts as 0 in arithmetic and comparisons. The result is missing only if the chosen branch of
    an IF is missing. See https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html.
    """
    return _evaluate(ast.parse(expression, mode="eval").body, values)


def _evaluate(node: ast.expr, values: Mapping[str, float | None]) -> float | None:
    match node:
        case ast.Constant(float() | int() as number):
            return number
        case ast.Name(name):
            return values[name]
        case ast.BinOp(left, operation, right) | ast.Compare(left, [operation], [right]):
            numbers = (_evaluate(left, values) or 0, _evaluate(right, values) or 0)
            return float(_ARITHMETIC[type(operation)](*numbers))
        case ast.Call(ast.Name("IF"), [condition, if_true, if_false]):
            return _evaluate(if_true if _evaluate(condition, values) else if_false, values)
    raise NotImplementedError(ast.unparse(node))


def _statistic(name: str, samples: Sequence[float]) -> float | None:
    if not samples:
        return None
    if name.startswith("p"):
        rank = math.ceil(len(samples) * float(name[1:]) / 100)
        return sorted(samples)[rank - 1]
    statistics: dict[str, Callable[[Sequence[float]], float]] = {"Sum": sum, "Maximum": max, "SampleCount": len}
    return statistics[name](samples)


def data_point(alarm: dict[str, Any], samples: Samples, end: int) -> float | None:
    """Return the value that an alarm compares with its threshold, for the period that ends after the minute `end`."""
    stats = {each["Id"]: each["MetricStat"] for each in alarm.get("Metrics", []) if "MetricStat" in each}
    period = next(iter(stats.values()), alarm)["Period"]
    values = {}
    for name, metric in alarm_metrics(alarm).items():
        ((_, dimension),) = metric.dimensions
        by_minute = samples.get((metric.name, dimension), {})
        in_period = [
            sample for minute in range(end - period // 60 + 1, end + 1) for sample in by_minute.get(minute, [])
        ]
        statistic = stats[name]["Stat"] if stats else alarm.get("Statistic") or alarm["ExtendedStatistic"]
        values[name] = _statistic(statistic, in_period)
    (expression,) = [each["Expression"] for each in alarm.get("Metrics", []) if "Expression" in each] or ["value"]
    return evaluate(expression, values)


def is_in_alarm(alarm: dict[str, Any], samples: Samples, end: int) -> bool:
    """Return whether enough data points breach the threshold.

    See https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html.
    """
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    stats = [each["MetricStat"] for each in alarm.get("Metrics", []) if "MetricStat" in each]
    minutes = (stats[0] if stats else alarm)["Period"] // 60
    points = [data_point(alarm, samples, end - index * minutes) for index in range(alarm["EvaluationPeriods"])]
    missing: bool = alarm["TreatMissingData"] == "breaching"
    threshold: float = alarm["Threshold"]
    breaching = [missing if point is None else point > threshold for point in points]
    required: int = alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])
    return sum(breaching) >= required
