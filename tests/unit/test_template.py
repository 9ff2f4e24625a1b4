"""What `template.yaml` and `samconfig.toml` say, held against the code and the design."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from samtranslator.translator.managed_policy_translator import ManagedPolicyLoader
from samtranslator.translator.transform import transform

from zim.request import RINGING_SECONDS
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


def expanded() -> dict[str, dict[str, Any]]:
    """Return the resources that AWS makes of the template; SAM's transform may add roles and permissions of its own."""
    packaged = copy.deepcopy(TEMPLATE)
    for resource in packaged["Resources"].values():
        for uri in {"CodeUri", "ContentUri"} & resource["Properties"].keys():
            resource["Properties"][uri] = "s3://bucket/key"
    resources: dict[str, dict[str, Any]] = transform(packaged, {}, ManagedPolicyLoader(None))["Resources"]
    return resources


EXPANDED = expanded()


def test_the_parameter_admits_the_same_hosts_as_the_function() -> None:
    assert TEMPLATE["Parameters"]["ZimApiBaseUrl"]["AllowedPattern"] == ZIM_API_BASE_URL


def test_every_parameter_but_the_secret_has_a_default_and_all_have_a_sentence() -> None:
    parameters = TEMPLATE["Parameters"]
    assert [name for name, parameter in parameters.items() if "Default" not in parameter] == ["ZimSecretArn"]
    assert all(parameter["Description"].endswith(".") for parameter in parameters.values())


def of_type(name: str, among: dict[str, dict[str, Any]] = RESOURCES) -> dict[str, dict[str, Any]]:
    """Return the properties of all resources of a type, by logical id."""
    return {key: value["Properties"] for key, value in among.items() if value["Type"] == name}


def test_no_route_is_open() -> None:
    routes = of_type("AWS::ApiGatewayV2::Route").values()
    assert {route["RouteKey"] for route in routes} == {"POST /call-reject", "POST /call-reject/async"}
    for route in routes:
        assert route["AuthorizationType"] == {"Fn::If": ["UseJwt", "JWT", "AWS_IAM"]}
        assert route["AuthorizerId"] == {"Fn::If": ["UseJwt", {"Ref": "JwtAuthorizer"}, {"Ref": "AWS::NoValue"}]}


TRACES = {"Effect": "Allow", "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "Resource": "*"}
SECRET = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": {"Ref": "ZimSecretArn"}}
KEY = {
    "Fn::If": [
        "HasSecretKey",
        {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": {"Ref": "SecretKmsKeyArn"}},
        {"Ref": "AWS::NoValue"},
    ]
}


def log(group: str) -> dict[str, Any]:
    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
    return {"Effect": "Allow", "Action": actions, "Resource": {"Fn::GetAtt": f"{group}.Arn"}}


def on_queue(queue: str, *actions: str) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Action": actions[0] if len(actions) == 1 else list(actions),
        "Resource": {"Fn::GetAtt": f"{queue}.Arn"},
    }


MAY = {
    "CallRejectRole": [SECRET, KEY, log("CallRejectLogGroup"), TRACES],
    "CallRejectAsyncRole": [on_queue("CallRejectQueue", "sqs:SendMessage"), log("CallRejectAsyncLogGroup"), TRACES],
    "CallRejectQueueRole": [
        on_queue(
            "CallRejectQueue",
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ChangeMessageVisibility",
        ),
        on_queue("CallRejectDeadLetterQueue", "sqs:SendMessage"),
        SECRET,
        KEY,
        log("CallRejectQueueLogGroup"),
        TRACES,
    ],
}


def test_each_role_may_do_exactly_what_its_function_does() -> None:
    roles = of_type("AWS::IAM::Role", EXPANDED)
    assert roles.keys() == MAY.keys()
    for name, role in roles.items():
        (policy,) = role["Policies"]
        assert "ManagedPolicyArns" not in role
        assert policy["PolicyDocument"]["Statement"] == MAY[name]
        (trusts,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trusts["Principal"] == {"Service": "lambda.amazonaws.com"}
    functions = of_type("AWS::Lambda::Function", EXPANDED).values()
    assert {function["Role"]["Fn::GetAtt"] for function in functions} == {f"{name}.Arn" for name in MAY}


def test_nobody_but_the_gateway_on_its_route_may_invoke_a_function() -> None:
    permissions = of_type("AWS::Lambda::Permission", EXPANDED)
    assert permissions.keys() == {"CallRejectPermission", "CallRejectAsyncPermission"}
    for permission in permissions.values():
        assert permission["Principal"] == "apigateway.amazonaws.com"
        assert "${HttpApi}/*/POST/call-reject" in permission["SourceArn"]["Fn::Sub"]
    assert not of_type("AWS::IAM::Policy", EXPANDED)
    assert not of_type("AWS::IAM::ManagedPolicy", EXPANDED)


def test_the_function_that_only_queues_knows_no_secret_and_takes_any_burst() -> None:
    function = of_type("AWS::Serverless::Function")["CallRejectAsyncFunction"]
    assert "ReservedConcurrentExecutions" not in function
    assert not [name for name in function["Environment"]["Variables"] if name.startswith("ZIM_")]


def admitted(policy: str, queue: str) -> list[tuple[str, dict[str, Any]]]:
    """Return whom a queue's policy admits to send to it: each service, and on which condition."""
    properties = of_type("AWS::SQS::QueuePolicy")[policy]
    assert properties["Queues"] == [{"Ref": queue}]
    statements = properties["PolicyDocument"]["Statement"]
    for statement in statements:
        assert (statement["Effect"], statement["Action"]) == ("Allow", "sqs:SendMessage")
        assert statement["Resource"] == {"Fn::GetAtt": f"{queue}.Arn"}
    return [(statement["Principal"]["Service"], statement["Condition"]) for statement in statements]


OUR_RULE = (
    "events.amazonaws.com",
    {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": "CallRejectRequestedRule.Arn"}}},
)
OUR_TOPICS = (
    "sns.amazonaws.com",
    {"ArnLike": {"aws:SourceArn": {"Fn::Sub": "arn:${AWS::Partition}:sns:*:${AWS::AccountId}:*"}}},
)


def test_the_queues_take_messages_from_our_rule_and_topics_of_the_account_and_from_nobody_else() -> None:
    assert of_type("AWS::SQS::QueuePolicy").keys() == {"CallRejectQueuePolicy", "CallRejectDeadLetterQueuePolicy"}
    assert admitted("CallRejectQueuePolicy", "CallRejectQueue") == [OUR_RULE, OUR_TOPICS]
    assert admitted("CallRejectDeadLetterQueuePolicy", "CallRejectDeadLetterQueue") == [OUR_RULE]


def test_the_queues_are_encrypted() -> None:
    queues = of_type("AWS::SQS::Queue")
    assert len(queues) == 2
    assert all(queue["SqsManagedSseEnabled"] is True for queue in queues.values())


def test_a_message_is_never_worked_on_twice_at_once_and_is_back_within_thirty_seconds() -> None:
    function = of_type("AWS::Serverless::Function")["CallRejectQueueFunction"]
    visibility = of_type("AWS::SQS::Queue")["CallRejectQueue"]["VisibilityTimeout"]
    assert function["Timeout"] < visibility <= 30


def test_retries_for_as_long_as_an_invitation_rings_do_not_reach_the_queues_own_redrive() -> None:
    tries, passed = 0, 0
    while passed <= RINGING_SECONDS:
        passed += min(2**tries, 30)
        tries += 1
    assert tries < of_type("AWS::SQS::Queue")["CallRejectQueue"]["RedrivePolicy"]["maxReceiveCount"]


@pytest.mark.parametrize(
    ("function", "concurrency", "calls_per_second"),
    [
        ("CallRejectFunction", "ApiConcurrency", "ApiCallsPerSecond"),
        ("CallRejectQueueFunction", "QueueConcurrency", "QueueCallsPerSecond"),
    ],
)
def test_the_window_of_a_function_is_told_the_concurrency_that_is_reserved_for_it(
    function: str, concurrency: str, calls_per_second: str
) -> None:
    properties = of_type("AWS::Serverless::Function")[function]
    variables = properties["Environment"]["Variables"]
    assert variables["RESERVED_CONCURRENCY"] == properties["ReservedConcurrentExecutions"] == {"Ref": concurrency}
    assert variables["CALLS_PER_SECOND"] == {"Ref": calls_per_second}


def test_the_event_source_never_asks_for_more_than_the_reserved_concurrency() -> None:
    properties = of_type("AWS::Serverless::Function")["CallRejectQueueFunction"]
    source = properties["Events"]["Queue"]["Properties"]
    assert source["ScalingConfig"]["MaximumConcurrency"] == properties["ReservedConcurrentExecutions"]
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_every_log_group_forgets_after_the_days_that_were_chosen() -> None:
    groups = of_type("AWS::Logs::LogGroup")
    assert len(groups) == 4
    assert all(group["RetentionInDays"] == {"Ref": "LogRetentionDays"} for group in groups.values())


def test_the_stage_waits_for_the_routes_that_its_settings_name() -> None:
    named = of_type("AWS::ApiGatewayV2::Stage")["HttpApiStage"]["RouteSettings"]
    waits_for = RESOURCES["HttpApiStage"]["DependsOn"]
    assert named.keys() == {RESOURCES[waits_for]["Properties"]["RouteKey"]}
