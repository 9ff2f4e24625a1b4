"""`template.yaml`: permissions, queues, limits, and when a deployment publishes a new version."""

import json
import re
import string
from graphlib import TopologicalSorter
from typing import Any

import pytest

from local.stack import page_origins
from tests.unit.template import (
    EXPANDED,
    PARAMETER_VALUES,
    RESOURCES,
    SECRETS,
    TEMPLATE,
    ParameterValues,
    Resources,
    dependencies,
    expand,
    properties_by_type,
    resolve,
    rules_allow,
)
from zim import allowance
from zim.request import USER_ID_SCHEMA
from zim.settings import BASE_URL_PATTERN

MAX_AGE_SECONDS = 600
FUNCTIONS = properties_by_type("AWS::Serverless::Function")
every_function = pytest.mark.parametrize("function", FUNCTIONS)


def test_parameter_and_settings_allow_the_same_hosts() -> None:
    """The parameter can also be empty."""
    hosts = BASE_URL_PATTERN.removeprefix("^").removesuffix("$")
    assert TEMPLATE["Parameters"]["ZimApiBaseUrl"]["AllowedPattern"] == f"^(|{hosts})$"


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-central-1", "zim-api-fra"),
        ("ap-south-1", "zim-api-bom"),
        ("ap-southeast-1", "zim-api-sgp"),
        ("us-west-1", "zim-api-lax"),
        ("us-west-2", "zim-api-lax"),
        ("ap-east-1", "zim-api-hkg"),
        ("us-east-1", "zim-api"),
        ("xx-new-1", "zim-api"),
    ],
)
def test_the_default_zim_host_is_that_of_the_region(region: str, host: str) -> None:
    url, override = f"https://{host}.zego.im", "https://zim-api-sha.zego.im"
    for function in ("CallRejectFunction", "CallRejectQueueFunction"):
        for value, expected in ("", url), (override, override), (url, url):
            values = {"AWS::Region": region, "ZimApiBaseUrl": value}
            assert configuration(function, EXPANDED, values)["Environment"]["Variables"]["ZIM_API_BASE_URL"] == expected
            assert f" {expected} " in version(function, EXPANDED, values)[1]
            assert re.fullmatch(BASE_URL_PATTERN, expected)


@pytest.mark.parametrize(
    ("parameter", "minimum", "maximum"),
    [
        ("ZimCallsPerSecondLimit", 2, 9999),
        ("ApiCallsPerSecond", 1, 9999),
        ("ApiConcurrency", 1, 9999),
        ("QueueCallsPerSecond", 1, 9999),
        ("QueueConcurrency", 2, 1000),
        ("AsyncExpiresAfterSeconds", 1, 600),
    ],
)
def test_numbers_are_whole_and_within_their_range(parameter: str, minimum: int, maximum: int) -> None:
    pattern = TEMPLATE["Parameters"][parameter]["AllowedPattern"]
    accepted = {number for number in range(maximum + 2) if re.search(pattern, str(number))}
    assert accepted == {*range(minimum, maximum + 1)}
    assert not any(re.search(pattern, text) for text in ("5.5", "5.0", "05", "+5", "-5", "5 ", "", "1e1"))


def test_every_route_requires_a_jwt_or_iam() -> None:
    routes = properties_by_type("AWS::ApiGatewayV2::Route").values()
    assert {route["RouteKey"] for route in routes} == {"POST /call-reject", "POST /call-reject/async"}
    for route in routes:
        assert route["AuthorizationType"] == {"Fn::If": ["UseJwt", "JWT", "AWS_IAM"]}
        assert route["AuthorizerId"] == {"Fn::If": ["UseJwt", {"Ref": "JwtAuthorizer"}, {"Ref": "AWS::NoValue"}]}


def test_the_authorizer_is_kept_unless_the_update_that_created_it_is_rolled_back() -> None:
    """From JWT to IAM, CloudFormation keeps the AuthorizerId of the routes, so the authorizer cannot be deleted.

    A rollback of the change from IAM to JWT must not keep it: the next attempt would create a second one with its name.
    """
    assert RESOURCES["JwtAuthorizer"]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert RESOURCES["JwtAuthorizer"]["UpdateReplacePolicy"] == "Retain"


TRACES = {
    "Fn::If": [
        "UseTracing",
        {"Effect": "Allow", "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "Resource": "*"},
        {"Ref": "AWS::NoValue"},
    ]
}
SECRET = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": {"Ref": "ZimSecretArn"}}
KEY = {
    "Fn::If": [
        "HasSecretKey",
        {
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": {"Ref": "SecretKmsKeyArn"},
            "Condition": {
                "StringEquals": {"kms:ViaService": {"Fn::Sub": "secretsmanager.${AWS::Region}.amazonaws.com"}}
            },
        },
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


PERMISSIONS = {
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


def test_each_role_has_exactly_the_permissions_of_its_function() -> None:
    roles = properties_by_type("AWS::IAM::Role", EXPANDED)
    assert roles.keys() == PERMISSIONS.keys()
    for name, role in roles.items():
        (policy,) = role["Policies"]
        assert "ManagedPolicyArns" not in role
        assert policy["PolicyDocument"]["Statement"] == PERMISSIONS[name]
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}
    functions = properties_by_type("AWS::Lambda::Function", EXPANDED).values()
    assert {function["Role"]["Fn::GetAtt"] for function in functions} == {f"{name}.Arn" for name in PERMISSIONS}


def test_only_the_routes_and_the_canary_can_invoke_a_function() -> None:
    permissions = properties_by_type("AWS::Lambda::Permission", EXPANDED)
    assert permissions.keys() == {"CallRejectPermission", "CallRejectAsyncPermission", "CanaryPermission"}
    for permission in permissions.values():
        assert permission["FunctionName"]["Ref"].endswith("FunctionAliaslive")
    canary = permissions.pop("CanaryPermission")
    assert canary["Principal"] == "events.amazonaws.com"
    assert canary["SourceArn"] == {"Fn::GetAtt": "CanaryRule.Arn"}
    for permission in permissions.values():
        assert permission["Principal"] == "apigateway.amazonaws.com"
        assert "${HttpApi}/*/POST/call-reject" in permission["SourceArn"]["Fn::Sub"]
    assert not properties_by_type("AWS::IAM::Policy", EXPANDED)
    assert not properties_by_type("AWS::IAM::ManagedPolicy", EXPANDED)


FROM_RULE = (
    "events.amazonaws.com",
    {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": "CallRejectRequestedRule.Arn"}}},
)
TOPIC = "arn:aws:sns:us-east-1:123456789012:one"
TOPICS = [TOPIC, "arn:aws:sns:us-east-1:210987654321:two"]
FROM_TOPICS = ("sns.amazonaws.com", {"ArnEquals": {"aws:SourceArn": TOPICS}})


@pytest.mark.parametrize(
    ("queue", "topics", "senders"),
    [
        ("CallRejectQueue", "", [FROM_RULE]),
        ("CallRejectQueue", ",".join(TOPICS), [FROM_RULE, FROM_TOPICS]),
        ("CallRejectDeadLetterQueue", ",".join(TOPICS), [FROM_RULE]),
    ],
)
def test_queue_policy_admits_exactly_these_senders_and_only_tls(queue: str, topics: str, senders: list[Any]) -> None:
    policies = resolve(properties_by_type("AWS::SQS::QueuePolicy"), {"SnsTopicArns": topics})
    assert policies.keys() == {"CallRejectQueuePolicy", "CallRejectDeadLetterQueuePolicy"}
    policy = policies[f"{queue}Policy"]
    assert policy["Queues"] == [{"Ref": queue}]
    *allowing, denying = policy["PolicyDocument"]["Statement"]
    for statement in (*allowing, denying):
        assert statement["Resource"] == {"Fn::GetAtt": f"{queue}.Arn"}
    assert all((statement["Effect"], statement["Action"]) == ("Allow", "sqs:SendMessage") for statement in allowing)
    assert [(statement["Principal"]["Service"], statement["Condition"]) for statement in allowing] == senders
    assert (denying["Effect"], denying["Principal"], denying["Action"]) == ("Deny", "*", "sqs:*")
    assert denying["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize(
    ("origins", "allowed"),
    [
        ("https://app.example", ["https://app.example"]),
        (",".join(page_origins(8600)), page_origins(8600)),
        ("https://xn--bcher-kva.example", ["https://xn--bcher-kva.example"]),
        ("https://*", ["https://*"]),
        ("*", ["*"]),
    ],
)
def test_pages_of_the_origins_can_call_the_api(origins: str, allowed: list[str]) -> None:
    assert re.search(TEMPLATE["Parameters"]["AllowedOrigins"]["AllowedPattern"], origins)
    (api,) = properties_by_type("AWS::ApiGatewayV2::Api").values()
    assert resolve(api, {"AllowedOrigins": origins})["CorsConfiguration"]["AllowOrigins"] == allowed


def test_without_origins_the_api_has_no_cors() -> None:
    assert re.search(TEMPLATE["Parameters"]["AllowedOrigins"]["AllowedPattern"], "")
    (api,) = properties_by_type("AWS::ApiGatewayV2::Api").values()
    assert "CorsConfiguration" not in resolve(api)


@pytest.mark.parametrize(
    "origins",
    [
        "foo",
        "https://",
        "https://app.example/",
        "https://App.example",
        "https://*.app.example",
        "https://app.example, https://two.example",
        "https://app.example,",
        "*,https://app.example",
        "capacitor://localhost",
        "null",
    ],
)
def test_text_that_is_no_origin_of_a_page_is_rejected(origins: str) -> None:
    assert not re.search(TEMPLATE["Parameters"]["AllowedOrigins"]["AllowedPattern"], origins)


@pytest.mark.parametrize(("sources", "pattern"), [("", {}), ("my.app,my.jobs", {"source": ["my.app", "my.jobs"]})])
def test_the_rule_accepts_events_of_this_account_and_of_the_sources(sources: str, pattern: dict[str, Any]) -> None:
    rule = resolve(RESOURCES["CallRejectRequestedRule"]["Properties"], {"EventSources": sources})
    assert rule["EventPattern"] == {
        "account": ["123456789012"],
        "detail-type": ["CallRejectRequested"],
        **pattern,
    }


def test_an_event_becomes_a_dead_letter_if_it_cannot_be_delivered_while_an_invitation_rings() -> None:
    """The emulator neither retries a target nor uses its dead-letter queue."""
    (queue,) = RESOURCES["CallRejectRequestedRule"]["Properties"]["Targets"]
    assert queue["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": "CallRejectDeadLetterQueue.Arn"}}
    assert queue["RetryPolicy"] == {"MaximumEventAgeInSeconds": MAX_AGE_SECONDS}
    (canary,) = RESOURCES["CanaryRule"]["Properties"]["Targets"]
    assert canary["RetryPolicy"] == {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0}


def test_lambda_delivers_an_asynchronous_invocation_within_a_minute_or_not_at_all() -> None:
    (config,) = properties_by_type("AWS::Lambda::EventInvokeConfig", EXPANDED).values()
    assert config["FunctionName"] == {"Ref": "CallRejectFunction"}
    assert (config["Qualifier"], config["MaximumEventAgeInSeconds"], config["MaximumRetryAttempts"]) == ("live", 60, 0)


def test_only_the_queue_can_use_the_dead_letter_queue_and_both_are_encrypted() -> None:
    queues = resolve(properties_by_type("AWS::SQS::Queue"))
    source = f"arn:aws:sqs:us-east-1:123456789012:{queues['CallRejectQueue']['QueueName']}"
    allowed = queues["CallRejectDeadLetterQueue"]["RedriveAllowPolicy"]
    assert allowed == {"redrivePermission": "byQueue", "sourceQueueArns": [source]}
    assert all(queue["SqsManagedSseEnabled"] is True for queue in queues.values())


def test_the_visibility_timeout_exceeds_the_function_timeout() -> None:
    """Lambda requires it. It does not exclude that a message is processed twice at the same time (docs/queue.md).

    See https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html.
    """
    visibility = properties_by_type("AWS::SQS::Queue")["CallRejectQueue"]["VisibilityTimeout"]
    assert FUNCTIONS["CallRejectQueueFunction"]["Timeout"] < visibility <= 30


def test_a_message_expires_before_its_retries_reach_the_redrive_policy() -> None:
    receives, seconds = 0, 0
    while seconds <= MAX_AGE_SECONDS:
        seconds += min(2**receives, 30)
        receives += 1
    queue = properties_by_type("AWS::SQS::Queue")["CallRejectQueue"]
    assert receives < queue["RedrivePolicy"]["maxReceiveCount"]


@pytest.mark.parametrize(
    ("function", "concurrency", "calls_per_second"),
    [
        ("CallRejectFunction", "ApiConcurrency", "ApiCallsPerSecond"),
        ("CallRejectQueueFunction", "QueueConcurrency", "QueueCallsPerSecond"),
    ],
)
def test_a_function_that_calls_zim_knows_its_share_and_its_reserved_concurrency(
    function: str, concurrency: str, calls_per_second: str
) -> None:
    variables = FUNCTIONS[function]["Environment"]["Variables"]
    assert variables["RESERVED_CONCURRENCY"] == FUNCTIONS[function]["ReservedConcurrentExecutions"]
    assert variables["RESERVED_CONCURRENCY"] == {"Ref": concurrency}
    assert variables["CALLS_PER_SECOND"] == {"Ref": calls_per_second}


def test_the_event_source_uses_at_most_the_reserved_concurrency() -> None:
    function = FUNCTIONS["CallRejectQueueFunction"]
    source = function["Events"]["Queue"]["Properties"]
    assert source["ScalingConfig"]["MaximumConcurrency"] == function["ReservedConcurrentExecutions"]
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_throttle_of_the_gateway_is_far_above_the_allowance_of_one_user() -> None:
    """All users share it, whatever the rate limit is."""
    stage = RESOURCES["HttpApiStage"]["Properties"]
    assert "RouteSettings" not in stage
    limit = stage["DefaultRouteSettings"]["ThrottlingRateLimit"]
    assert limit == 100
    assert limit >= 100 * allowance.MAX_REQUESTS / allowance.PERIOD_SECONDS
    assert stage["DefaultRouteSettings"]["ThrottlingBurstLimit"] >= limit


@every_function
def test_metrics_of_two_stacks_are_separate(function: str) -> None:
    properties = FUNCTIONS[function]
    group = RESOURCES[properties["LoggingConfig"]["LogGroup"]["Ref"]]["Properties"]["LogGroupName"]
    service = resolve(properties["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"])
    assert resolve(group) == f"/aws/lambda/{service}"
    assert service.startswith("stack-")


def test_callers_invoke_the_alias() -> None:
    invoked = [
        *(each["IntegrationUri"] for each in properties_by_type("AWS::ApiGatewayV2::Integration", EXPANDED).values()),
        *(each["FunctionName"] for each in properties_by_type("AWS::Lambda::EventSourceMapping", EXPANDED).values()),
    ]
    assert sorted(each["Ref"] for each in invoked) == sorted(f"{function}Aliaslive" for function in FUNCTIONS)
    assert TEMPLATE["Outputs"]["CallRejectFunctionName"]["Value"] == {"Ref": "CallRejectFunction.Alias"}


def version(function: str, resources: Resources, values: ParameterValues = PARAMETER_VALUES) -> tuple[str, str]:
    """Return the logical id and description of the version. CloudFormation publishes a new one if either changes."""
    versions = properties_by_type("AWS::Lambda::Version", resources).items()
    ((logical_id, properties),) = (each for each in versions if each[1]["FunctionName"] == {"Ref": function})
    return logical_id, resolve(properties["Description"], values)


def configuration(function: str, resources: Resources, values: ParameterValues) -> dict[str, Any]:
    """Return the properties that a version includes, which are all except the reserved concurrency."""
    properties: dict[str, Any] = resolve(resources[function]["Properties"], values)
    return {name: value for name, value in properties.items() if name != "ReservedConcurrentExecutions"}


IAM: ParameterValues = {}
JWT = {"JwtIssuer": "https://issuer.example", "JwtAudience": "app"}
CHANGED = {
    "ZimSecretArn": f"{SECRETS}another-GhIjKl",
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
    "AsyncExpiresAfterSeconds": "60",
    "EventBusName": "custom",
    "EventSources": "my.app",
    "SnsTopicArns": "arn:aws:sns:us-east-1:123456789012:declined",
    "SnapStart": "true",
    "Tracing": "true",
    "LogLevel": "DEBUG",
    "LogRetentionDays": "1",
    "LogKmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1",
    "AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:on-call",
    "CanaryUserId": "canary",
    "GradualDeployment": "true",
}
ARNS = {name: value for name, value in {**CHANGED, **PARAMETER_VALUES}.items() if value.startswith("arn:")}
ARN_COMPONENTS = {"region": (3, "eu-west-1"), "account": (4, "210987654321"), "name": (-1, "another-ZyXwVu")}


ARN_PARAMETERS = ["ZimSecretArn", "SecretKmsKeyArn", "LogKmsKeyArn", "AlarmTopicArn", "SnsTopicArns"]


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        *((name, ARNS[name].replace("arn:aws:", "arn:aws-cn:")) for name in ARN_PARAMETERS),
        *((name, ARNS[name].replace("arn:aws:", "arn:aws-us-gov:")) for name in ARN_PARAMETERS),
        *(
            ("ZimSecretArn", SECRETS + name)
            for name in ("zim", "zim-AbCdE", "zim-AbCdEf*", "zim AbCdEf", "s" * 81 + "-AbCdEf")
        ),
        *(("SnsTopicArns", topics) for topics in (TOPIC.replace("one", "*"), f"{TOPIC}, {TOPIC}", f"{TOPIC},")),
    ],
)
def test_an_arn_is_complete_and_in_the_partition_aws(parameter: str, value: str) -> None:
    pattern = TEMPLATE["Parameters"][parameter]["AllowedPattern"]
    assert re.search(pattern, ARNS[parameter])
    assert not re.search(pattern, value)


def with_component(arn: str, component: str) -> str:
    """Return the ARN with another region, account or name."""
    index, value = ARN_COMPONENTS[component]
    parts = arn.split(":")
    parts[index] = f"key/{value}" if parts[index].startswith("key/") else value
    return ":".join(parts)


UPDATES = [
    pytest.param(IAM, {"ZimApiBaseUrl": "https://zim-api.zego.im"}, id="the default host, set explicitly"),
    *(
        pytest.param({name: arn}, {name: with_component(arn, component)}, id=f"{component} of {name}")
        for name, arn in ARNS.items()
        for component in ARN_COMPONENTS
    ),
    *(
        pytest.param(base, {**base, parameter: CHANGED[parameter]}, id=f"{parameter}, {access}")
        for access, base in (("IAM", IAM), ("JWT", JWT))
        for parameter in TEMPLATE["Parameters"]
        if rules_allow({**base, parameter: CHANGED[parameter]})
    ),
    pytest.param(IAM, JWT, id="IAM to JWT"),
    pytest.param(JWT, IAM, id="JWT to IAM"),
    pytest.param({**JWT, "JwtUserClaim": "username"}, IAM, id="JWT with a claim to IAM"),
]


@pytest.mark.parametrize(("before", "after"), UPDATES)
def test_a_new_version_is_published_exactly_if_a_parameter_changes_the_function(
    before: ParameterValues, after: ParameterValues
) -> None:
    """Without a new version, the alias keeps the old one. Lambda does not publish an unchanged function."""
    old, new = expand(before), expand(after)
    for function in FUNCTIONS:
        changed = configuration(function, old, before) != configuration(function, new, after)
        assert (version(function, old, before) != version(function, new, after)) is changed


@pytest.mark.parametrize(
    ("function", "supported"),
    [("CallRejectFunction", True), ("CallRejectAsyncFunction", True), ("CallRejectQueueFunction", False)],
)
def test_snap_start_is_off_by_default_and_only_for_functions_behind_https(function: str, *, supported: bool) -> None:
    for values, expected in ({}, "None"), ({"SnapStart": "true"}, "PublishedVersions" if supported else "None"):
        snap_start = configuration(function, expand(values), values).get("SnapStart", {"ApplyOn": "None"})
        assert snap_start == {"ApplyOn": expected}


@pytest.mark.parametrize("values", [{"JwtIssuer": "https://issuer.example"}, {"JwtUserClaim": "username"}])
def test_incomplete_jwt_parameters_are_rejected(values: ParameterValues) -> None:
    assert rules_allow(IAM)
    assert rules_allow(JWT)
    assert not rules_allow(values)


@every_function
def test_a_new_version_is_published_for_new_code_a_new_layer_and_changed_properties(function: str) -> None:
    changed = {**RESOURCES[function], "Properties": {**FUNCTIONS[function], "Timeout": 29}}
    versions = [
        version(function, resources)
        for resources in (
            EXPANDED,
            expand(artifacts={function: "new"}),
            expand(artifacts={"ZimLayer": "new"}),
            expand(template={**TEMPLATE, "Resources": {**RESOURCES, function: changed}}),
        )
    ]
    assert len(set(versions)) == len(versions)
    assert version(function, expand()) == versions[0]


@every_function
def test_the_longest_version_description_is_within_the_limit(function: str) -> None:
    """See https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-lambda-version.html."""
    calls = ("ApiCallsPerSecond", "QueueCallsPerSecond", "ZimCallsPerSecondLimit")
    values = {
        **JWT,
        "ZimSecretArn": "arn:aws:secretsmanager:ap-northeast-1:123456789012:secret:" + "s" * 80 + "-AbCdEf",
        "ZimApiBaseUrl": "https://zim-api-sha.zego.im/",
        "JwtUserClaim": "c" * 60,
        "LogLevel": "WARNING",
        **dict.fromkeys(("Tracing", "SnapStart"), "false"),
        **dict.fromkeys((*calls, "ApiConcurrency", "QueueConcurrency"), "1" * 4),
    }
    _, description = version(function, EXPANDED, values)
    assert len(description) <= 256


GLOBAL_NAMES = {"DashboardName", "ManagedPolicyName", "RoleName", "BucketName"}
"""Names that are unique in the account, not in the region."""


def test_the_names_of_global_resources_contain_the_region() -> None:
    """See https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Dashboards.html."""
    names = [
        resource["Properties"][name]
        for resource in expand({"GradualDeployment": "true"}).values()
        for name in GLOBAL_NAMES & resource["Properties"].keys()
    ]
    assert names
    assert all("${AWS::Region}" in str(name) for name in names)


CANARY = ["CanaryRule", "CanaryPermission", "CanaryFailedAlarm"]


def test_the_canary_is_off_by_default_and_invokes_the_function_every_five_minutes() -> None:
    alarm = {"AlarmTopicArn": CHANGED["AlarmTopicArn"]}
    for name in CANARY:
        assert not resolve({"Condition": RESOURCES[name]["Condition"]}, alarm)
        assert resolve({"Condition": RESOURCES[name]["Condition"]}, {**alarm, "CanaryUserId": "canary"})
    rule = resolve(EXPANDED["CanaryRule"]["Properties"], {"CanaryUserId": "{canary}"})
    (target,) = rule["Targets"]
    assert rule["ScheduleExpression"] == "rate(5 minutes)"
    assert target["Arn"] == {"Ref": "CallRejectFunctionAliaslive"}
    assert json.loads(target["Input"]) == {"CanaryUserId": "{canary}"}


@pytest.mark.parametrize("character", string.printable)
def test_the_user_of_the_canary_is_a_valid_user(character: str) -> None:
    if re.fullmatch(TEMPLATE["Parameters"]["CanaryUserId"]["AllowedPattern"], f"a{character}"):
        assert re.search(USER_ID_SCHEMA["pattern"], f"a{character}")
        assert json.loads(f'"{character}"') == character


@every_function
def test_tracing_is_off_by_default(function: str) -> None:
    for values, mode in ({}, "PassThrough"), ({"Tracing": "true"}, "Active"):
        assert configuration(function, expand(values), values)["TracingConfig"] == {"Mode": mode}


def test_codedeploy_is_not_used_by_default() -> None:
    assert not [name for name, resource in EXPANDED.items() if "CodeDeploy" in resource["Type"] or "Deploy" in name]
    assert not [name for name, resource in EXPANDED.items() if "UpdatePolicy" in resource]


def test_a_gradual_deployment_shifts_every_alias_and_rolls_back_on_an_alarm() -> None:
    resources = expand({"GradualDeployment": "true"})
    groups = properties_by_type("AWS::CodeDeploy::DeploymentGroup", resources)
    for function in FUNCTIONS:
        policy = resources[f"{function}Aliaslive"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
        group = resolve(groups[policy["DeploymentGroupName"]["Ref"]], {"GradualDeployment": "true"})
        assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent10Minutes"
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
        alarms = {alarm["Name"]["Ref"] for alarm in group["AlarmConfiguration"]["Alarms"]}
        others = {"SustainedThrottlingAlarm", "DeadLettersAlarm", "CanaryFailedAlarm"}
        assert alarms == properties_by_type("AWS::CloudWatch::Alarm").keys() - others
        assert group["AlarmConfiguration"]["Enabled"] is True
    added = resources.keys() - EXPANDED.keys()
    (role,) = (resources[name]["Properties"] for name in added if resources[name]["Type"] == "AWS::IAM::Role")
    assert role["ManagedPolicyArns"] == ["arn:aws:iam::aws:policy/service-role/AWSCodeDeployRoleForLambda"]
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": ["codedeploy.amazonaws.com"]}


DATA = {
    "CallRejectQueue": ("Delete", "Retain", "${AWS::StackName}-call-reject"),
    "CallRejectDeadLetterQueue": ("RetainExceptOnCreate", "Retain", None),
    "CallRejectLogGroup": ("Delete", "Retain", "/aws/lambda/${AWS::StackName}-call-reject"),
    "CallRejectAsyncLogGroup": ("Delete", "Retain", "/aws/lambda/${AWS::StackName}-call-reject-async"),
    "CallRejectQueueLogGroup": ("Delete", "Retain", "/aws/lambda/${AWS::StackName}-call-reject-queue"),
    "HttpApiLogGroup": ("Delete", "Retain", "/aws/vendedlogs/apigateway/${AWS::StackName}"),
}
"""Deletion policy, update-replace policy and name of each resource with data. docs/upgrade.md explains them."""


def test_resources_with_data_keep_their_policies_names_and_logical_ids() -> None:
    """A new name or logical id replaces the resource: messages in the old queue are not processed.

    If you must change one, describe in docs/upgrade.md how to move the messages.
    """
    with_data = {"AWS::SQS::Queue", "AWS::Logs::LogGroup"}
    found = {
        name: (
            resource.get("DeletionPolicy"),
            resource.get("UpdateReplacePolicy"),
            next(
                (
                    resource["Properties"][member]["Fn::Sub"]
                    for member in ("QueueName", "LogGroupName")
                    if member in resource["Properties"]
                ),
                None,
            ),
        )
        for name, resource in RESOURCES.items()
        if resource["Type"] in with_data
    }
    assert found == DATA


@pytest.mark.parametrize("gradual", ["true", "false"])
def test_only_data_and_the_authorizer_survive_a_deletion_or_a_replacement(gradual: str) -> None:
    """A version that a rollback leaves behind prevents the same deployment later, so versions are not retained either.

    See https://github.com/aws/serverless-application-model/issues/1375.
    """
    resources = expand({"GradualDeployment": gradual})
    survives = {
        policy: {name for name, resource in resources.items() if resource.get(policy, "Delete") != "Delete"}
        for policy in ("DeletionPolicy", "UpdateReplacePolicy")
    }
    # API Gateway deletes the authorizer with the API.
    assert survives == {
        "DeletionPolicy": {"JwtAuthorizer", "CallRejectDeadLetterQueue"},
        "UpdateReplacePolicy": {"JwtAuthorizer", *DATA},
    }
    for function in properties_by_type("AWS::Lambda::Function", resources).values():
        assert resources[function["LoggingConfig"]["LogGroup"]["Ref"]]["Type"] == "AWS::Logs::LogGroup"


TARGETS = {
    "CallRejectRoute": "CallRejectFunction",
    "CallRejectAsyncRoute": "CallRejectAsyncFunction",
    "CanaryRule": "CallRejectFunction",
    "CallRejectRequestedRule": "CallRejectQueue",
    "CallRejectQueueFunctionQueue": "CallRejectQueueFunction",
}


def test_a_deletion_ends_triggers_before_their_targets_and_functions_before_what_they_use() -> None:
    """CloudFormation deletes a resource before those that it refers to. See "Delete the stack" in docs/upgrade.md."""
    deleted_later = dependencies(EXPANDED)
    for name in TopologicalSorter(deleted_later).static_order():
        deleted_later[name] |= {each for direct in deleted_later[name] for each in deleted_later[direct]}
    triggers = {"AWS::ApiGatewayV2::Route", "AWS::Events::Rule", "AWS::Lambda::EventSourceMapping"}
    assert {name for name, each in EXPANDED.items() if each["Type"] in triggers} == TARGETS.keys()
    assert {trigger for trigger, target in TARGETS.items() if target not in deleted_later[trigger]} == set()
    for function in FUNCTIONS:
        types = {EXPANDED[name]["Type"] for name in deleted_later[function]}
        assert types >= {"AWS::IAM::Role", "AWS::Logs::LogGroup"}, function
    assert "CallRejectQueue" in deleted_later["CallRejectQueueFunctionQueue"]
