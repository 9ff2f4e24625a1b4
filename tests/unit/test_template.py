"""What `template.yaml` and `samconfig.toml` say, held against the code and the design."""

from pathlib import Path
from typing import Any

import yaml

from zim.settings import ZIM_API_BASE_URL

ROOT = Path(__file__).resolve().parents[2]


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as what they stand for."""


def _short_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _short_form)
TEMPLATE: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), _Loader)  # noqa: S506 - a SafeLoader
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]


def test_the_parameter_admits_the_same_hosts_as_the_function() -> None:
    assert TEMPLATE["Parameters"]["ZimApiBaseUrl"]["AllowedPattern"] == ZIM_API_BASE_URL


def test_every_parameter_but_the_secret_has_a_default_and_all_have_a_sentence() -> None:
    parameters = TEMPLATE["Parameters"]
    assert [name for name, parameter in parameters.items() if "Default" not in parameter] == ["ZimSecretArn"]
    assert all(parameter["Description"].endswith(".") for parameter in parameters.values())


def test_no_route_is_open() -> None:
    routes = [resource for resource in RESOURCES.values() if resource["Type"] == "AWS::ApiGatewayV2::Route"]
    assert routes
    assert all(route["Properties"]["AuthorizationType"] == "AWS_IAM" for route in routes)


def test_the_function_may_read_its_secret_write_its_log_send_traces_and_nothing_else() -> None:
    (policy,) = RESOURCES["CallRejectRole"]["Properties"]["Policies"]
    assert "ManagedPolicyArns" not in RESOURCES["CallRejectRole"]["Properties"]
    assert policy["PolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": {"Ref": "ZimSecretArn"}},
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": {"Fn::GetAtt": "CallRejectLogGroup.Arn"},
        },
        {"Effect": "Allow", "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "Resource": "*"},
    ]


def test_the_window_of_a_function_is_told_the_concurrency_that_is_reserved_for_it() -> None:
    properties = RESOURCES["CallRejectFunction"]["Properties"]
    variables = properties["Environment"]["Variables"]
    assert variables["RESERVED_CONCURRENCY"] == properties["ReservedConcurrentExecutions"] == {"Ref": "ApiConcurrency"}
    assert variables["CALLS_PER_SECOND"] == {"Ref": "ApiCallsPerSecond"}


def test_every_log_group_forgets_after_the_days_that_were_chosen() -> None:
    groups = [resource for resource in RESOURCES.values() if resource["Type"] == "AWS::Logs::LogGroup"]
    assert len(groups) == 2
    assert all(group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"} for group in groups)
