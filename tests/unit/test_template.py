"""What `template.yaml` and `samconfig.toml` say, held against the code and the design."""

from typing import Any

import pytest

from tests.unit.template import (
    EXPANDED,
    GIVEN,
    RESOURCES,
    SECRETS,
    TEMPLATE,
    Given,
    Resources,
    allowed,
    expanded,
    of_type,
    resolved,
)
from zim.request import RINGING_SECONDS
from zim.settings import ZIM_API_BASE_URL


def test_the_parameter_admits_the_same_hosts_as_the_function() -> None:
    assert TEMPLATE["Parameters"]["ZimApiBaseUrl"]["AllowedPattern"] == ZIM_API_BASE_URL


def test_every_parameter_but_the_secret_has_a_default_and_all_have_a_sentence() -> None:
    parameters = TEMPLATE["Parameters"]
    assert [name for name, parameter in parameters.items() if "Default" not in parameter] == ["ZimSecretArn"]
    assert all(parameter["Description"].endswith(".") for parameter in parameters.values())


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
        assert permission["FunctionName"]["Ref"].endswith("FunctionAliaslive")
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


FUNCTIONS = of_type("AWS::Serverless::Function")


def test_two_stacks_in_an_account_do_not_count_together() -> None:
    """A function's metrics have the name of its log group, which no other stack has."""
    for function in FUNCTIONS.values():
        group = RESOURCES[function["LoggingConfig"]["LogGroup"]["Ref"]]["Properties"]["LogGroupName"]
        service = resolved(function["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"])
        assert resolved(group) == f"/aws/lambda/{service}"
        assert service.startswith("stack-")


every_function = pytest.mark.parametrize("function", FUNCTIONS)


def test_whoever_invokes_a_function_goes_by_its_alias() -> None:
    aliases = {f"{function}Aliaslive" for function in FUNCTIONS}
    invoked = [
        *(each["IntegrationUri"] for each in of_type("AWS::ApiGatewayV2::Integration", EXPANDED).values()),
        *(each["FunctionName"] for each in of_type("AWS::Lambda::EventSourceMapping", EXPANDED).values()),
    ]
    assert {each["Ref"] for each in invoked} == aliases
    assert len(invoked) == len(aliases)
    assert TEMPLATE["Outputs"]["CallRejectFunctionName"]["Value"] == {"Ref": "CallRejectFunction.Alias"}


def published(function: str, resources: Resources, given: Given = GIVEN) -> tuple[str, str]:
    """Return what CloudFormation publishes a new version by, if it changes: the version's logical id and properties."""
    versions = of_type("AWS::Lambda::Version", resources).items()
    (found,) = (each for each in versions if each[1]["FunctionName"] == {"Ref": function})
    return found[0], resolved(found[1]["Description"], given)


def configuration(function: str, resources: Resources, given: Given) -> dict[str, Any]:
    """Return what a version keeps of the function; the reservation is the function's alone."""
    properties: dict[str, Any] = resolved(resources[function]["Properties"], given)
    return {name: value for name, value in properties.items() if name != "ReservedConcurrentExecutions"}


IAM: Given = {}
TOKENS = {"JwtIssuer": "https://issuer.example", "JwtAudience": "app"}
OTHER = {
    "ZimSecretArn": f"{SECRETS}zim-GhIjKl",
    "SecretKmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1",
    "ZimApiBaseUrl": "https://zim-api-fra.zego.im",
    "ZimCallsPerSecondLimit": "30",
    "JwtIssuer": "https://another.example",
    "JwtAudience": "another",
    "JwtUserClaim": "username",
    "AllowedOrigins": "https://app.example",
    "ApiCallsPerSecond": "7",
    "ApiConcurrency": "7",
    "QueueCallsPerSecond": "7",
    "QueueConcurrency": "7",
    "EventBusName": "mine",
    "SnapStart": "true",
    "LogLevel": "DEBUG",
    "LogRetentionDays": "1",
    "LogKmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1",
    "AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:on-call",
    "GradualDeployment": "true",
}
CHANGES = [
    *(
        pytest.param(base, {**base, parameter: OTHER[parameter]}, id=f"{parameter}, {access}")
        for access, base in (("IAM", IAM), ("tokens", TOKENS))
        for parameter in TEMPLATE["Parameters"]
        if allowed({**base, parameter: OTHER[parameter]})
    ),
    pytest.param(IAM, TOKENS, id="tokens instead of IAM"),
    pytest.param(TOKENS, IAM, id="IAM instead of tokens"),
    pytest.param({**TOKENS, "JwtUserClaim": "username"}, IAM, id="IAM instead of tokens with a claim"),
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_a_version_is_published_if_and_only_if_the_change_of_a_parameter_reaches_the_function(
    before: Given, after: Given
) -> None:
    """Without one the alias would stay behind; and of a function that is as before, Lambda publishes none."""
    was, becomes = expanded(before), expanded(after)
    for function in FUNCTIONS:
        changed = configuration(function, was, before) != configuration(function, becomes, after)
        assert (published(function, was, before) != published(function, becomes, after)) is changed


@pytest.mark.parametrize("function", ["CallRejectFunction", "CallRejectAsyncFunction"])
def test_no_function_behind_https_goes_on_without_tokens_once_they_are_turned_on(function: str) -> None:
    assert "JWT_USER_CLAIM" not in configuration(function, EXPANDED, IAM)["Environment"]["Variables"]
    assert "JWT_USER_CLAIM" in configuration(function, EXPANDED, TOKENS)["Environment"]["Variables"]
    assert published(function, EXPANDED, IAM) != published(function, EXPANDED, TOKENS)


@pytest.mark.parametrize(
    ("function", "with_snapshot"),
    [("CallRejectFunction", True), ("CallRejectAsyncFunction", True), ("CallRejectQueueFunction", False)],
)
def test_only_the_versions_that_users_wait_for_start_from_a_snapshot_and_only_if_it_is_asked_for(
    function: str, *, with_snapshot: bool
) -> None:
    for given, expected in ({}, "None"), ({"SnapStart": "true"}, "PublishedVersions" if with_snapshot else "None"):
        snap_start = configuration(function, expanded(given), given).get("SnapStart", {"ApplyOn": "None"})
        assert snap_start == {"ApplyOn": expected}


@pytest.mark.parametrize("given", [{"JwtIssuer": "https://issuer.example"}, {"JwtUserClaim": "username"}])
def test_the_parameters_of_tokens_go_together(given: Given) -> None:
    assert allowed(IAM)
    assert allowed(TOKENS)
    assert not allowed(given)


@every_function
def test_a_version_is_published_for_new_code_another_layer_and_other_properties_and_for_nothing_else(
    function: str,
) -> None:
    longer = {**RESOURCES[function], "Properties": {**FUNCTIONS[function], "Timeout": 29}}
    versions = [
        published(function, resources)
        for resources in (
            EXPANDED,
            expanded(artifacts={function: "new"}),
            expanded(artifacts={"ZimLayer": "new"}),
            expanded(template={**TEMPLATE, "Resources": {**RESOURCES, function: longer}}),
        )
    ]
    assert len(set(versions)) == len(versions)
    assert published(function, expanded()) == versions[0]


@every_function
def test_the_longest_description_of_a_version_is_not_too_long(function: str) -> None:
    """CloudFormation's limit is 256 characters (AWS::Lambda::Version, Description)."""
    numbers = (
        "ApiCallsPerSecond",
        "QueueCallsPerSecond",
        "ZimCallsPerSecondLimit",
        "ApiConcurrency",
        "QueueConcurrency",
    )
    given = {
        **TOKENS,
        "ZimSecretArn": SECRETS + "s" * 128,
        "ZimApiBaseUrl": "https://zim-api-sha.zego.im/",
        "JwtUserClaim": "c" * 60,
        "LogLevel": "WARNING",
        **dict.fromkeys(numbers, "1" * 5),
    }
    _, description = published(function, EXPANDED, given)
    assert len(description) <= 256


def test_a_first_deploy_makes_nothing_of_codedeploys() -> None:
    assert not [name for name, resource in EXPANDED.items() if "CodeDeploy" in resource["Type"] or "Deploy" in name]
    assert not [name for name, resource in EXPANDED.items() if "UpdatePolicy" in resource]


def test_a_gradual_deploy_shifts_every_alias_and_goes_back_on_an_alarm() -> None:
    resources = expanded({"GradualDeployment": "true"})
    groups = of_type("AWS::CodeDeploy::DeploymentGroup", resources)
    for function in FUNCTIONS:
        policy = resources[f"{function}Aliaslive"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
        group = resolved(groups[policy["DeploymentGroupName"]["Ref"]], {"GradualDeployment": "true"})
        assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent10Minutes"
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
        alarms = {alarm["Name"]["Ref"] for alarm in group["AlarmConfiguration"]["Alarms"]}
        assert alarms == of_type("AWS::CloudWatch::Alarm").keys() - {"SustainedThrottlingAlarm", "DeadLettersAlarm"}
        assert group["AlarmConfiguration"]["Enabled"] is True
    new = resources.keys() - EXPANDED.keys()
    (role,) = (resources[name]["Properties"] for name in new if resources[name]["Type"] == "AWS::IAM::Role")
    assert role["ManagedPolicyArns"] == ["arn:aws:iam::aws:policy/service-role/AWSCodeDeployRoleForLambda"]
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": ["codedeploy.amazonaws.com"]}


@pytest.mark.parametrize("gradual", ["true", "false"])
def test_nothing_outlives_the_stack(gradual: str) -> None:
    """Versions are retained when a deploy replaces them, and deleted with their function (Lambda, DeleteFunction)."""
    resources = expanded({"GradualDeployment": gradual})
    retained = {
        resource["Type"]
        for resource in resources.values()
        if {resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")} - {None, "Delete"}
    }
    assert retained == {"AWS::Lambda::Version"}
    for function in of_type("AWS::Lambda::Function", resources).values():
        assert resources[function["LoggingConfig"]["LogGroup"]["Ref"]]["Type"] == "AWS::Logs::LogGroup"
