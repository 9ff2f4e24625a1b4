"""`docs/github-deploy-role.yaml`, compared with the permissions that CloudFormation needs for `template.yaml`.

Each resource type has a public schema with the permissions of its handlers, which cfn-lint ships. See
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html.
"""

import fnmatch
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml
from cfnlint.schema.manager import ProviderSchemaManager
from samtranslator.yaml_helper import yaml_parse

from tests.support.paths import DOCS, ROOT
from tests.unit.alarms import DEFAULT_BUS
from tests.unit.iam import ACTIONS, as_list
from tests.unit.template import expand, resolve

STACK, ACCOUNT, REGION, SUFFIX = "call-reject", "123456789012", "us-east-1", "AbCdEfGhIjKlM"
DEPLOYMENT: dict[str, Any] = yaml_parse((DOCS / "github-deploy-role.yaml").read_text())
VALUES = {**DEFAULT_BUS, "StackName": STACK, "AWS::StackName": STACK, "GradualDeployment": "true"}
RESOURCES = resolve(expand(VALUES), VALUES)
BUCKET = "arn:aws:s3:::aws-sam-cli-managed-default-samclisourcebucket-abcdefghijkl"

UNUSED = {
    "apigateway": ["Put"],  # OpenAPI documents
    "codedeploy": ["RegisterOnPremisesInstance"],
    "ec2": ["*"],  # functions in a VPC
    "elasticfilesystem": ["*"],
    "firehose": ["*"],  # delivery of logs to Firehose
    "iam": ["*RolePermissionsBoundary"],
    "logs": ["PutIndexPolicy", "DeleteIndexPolicy", "DeleteResourcePolicy"],
    "kms": ["*"],  # keys for code, variables and event sources
    "lambda": ["*CodeSigningConfig", "AssociateRuntimeAlias", "PassCapacityProvider", "*ProvisionedConcurrencyConfig"],
    "s3": ["GetObjectVersion", "REST.PUT.OBJECT"],
    "s3files": ["*"],
}
"""Permissions for properties that the template does not set."""

UNUSED_BY_THE_BUCKET = {
    "iam": ["*"],
    "s3tables": ["*"],
    "s3": [
        *(
            "*Abac*",
            "*Accelerate*",
            "*Acl",
            "*Analytics*",
            "*CORS",
            "*Cors",
            "*Inventory*",
            "*Lifecycle*",
            "*Logging",
            "*Metrics*",
        ),
        *("*Metadata*", "*Notification", "*ObjectLock*", "*Ownership*", "*Replication*", "*Tiering*", "*Website"),
        *("DeleteBucketEncryption", "DeleteObject"),
    ],
}
"""Permissions for properties that SAM's bucket does not have.

See https://github.com/aws/aws-sam-cli/blob/develop/samcli/lib/bootstrap/bootstrap.py.
"""


def statements(role: str) -> list[dict[str, Any]]:
    (policy,) = DEPLOYMENT["Resources"][role]["Properties"]["Policies"]
    found: list[dict[str, Any]] = resolve(policy["PolicyDocument"]["Statement"], VALUES)
    return found


def is_allowed(role: str, action: str, arn: str) -> bool:
    """Return whether the role allows an action on a resource. Conditions count as fulfilled."""
    return any(
        any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in as_list(statement["Action"]))
        and any(fnmatch.fnmatchcase(arn, pattern) for pattern in as_list(statement["Resource"]))
        for statement in statements(role)
    )


def handler_permissions(resource_type: str) -> set[str]:
    schema = ProviderSchemaManager().get_resource_schema(REGION, resource_type).schema
    return {
        permission
        for name, handler in schema["handlers"].items()
        if name in {"create", "read", "update", "delete"}
        for permission in handler["permissions"]
    }


def is_unused(permission: str, unused: dict[str, list[str]]) -> bool:
    service, _, name = permission.partition(":")
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in unused.get(service, []))


ARNS = {
    "AWS::CloudWatch::Alarm": {"cloudwatch alarm": ["arn:aws:cloudwatch:{region}:{account}:alarm:{AlarmName}"]},
    "AWS::CloudWatch::Dashboard": {"cloudwatch dashboard": ["arn:aws:cloudwatch::{account}:dashboard/{DashboardName}"]},
    "AWS::CodeDeploy::Application": {
        "codedeploy application": ["arn:aws:codedeploy:{region}:{account}:application:{name}"]
    },
    "AWS::CodeDeploy::DeploymentGroup": {
        "codedeploy deploymentconfig": [
            "arn:aws:codedeploy:{region}:{account}:deploymentconfig:CodeDeployDefault.LambdaCanary"
        ],
        "codedeploy deploymentgroup": ["arn:aws:codedeploy:{region}:{account}:deploymentgroup:{stack}-app/{name}"],
    },
    "AWS::Events::Rule": {
        "events rule-on-custom-event-bus": ["arn:aws:events:{region}:{account}:rule/custom/{name}"],
        "events rule-on-default-event-bus": ["arn:aws:events:{region}:{account}:rule/{name}"],
    },
    "AWS::IAM::Role": {"iam role": ["arn:aws:iam::{account}:role/{name}"]},
    "AWS::Lambda::EventSourceMapping": {
        "lambda eventsourcemapping": ["arn:aws:lambda:{region}:{account}:event-source-mapping:6f1c9f9a"]
    },
    "AWS::Lambda::Function": {
        "lambda function": ["arn:aws:lambda:{region}:{account}:function:{name}"],
        "lambda functionalias": ["arn:aws:lambda:{region}:{account}:function:{name}:live"],
        "lambda functionversion": ["arn:aws:lambda:{region}:{account}:function:{name}:7"],
        "s3 object": [f"{BUCKET}/call-reject/abc"],
    },
    "AWS::Lambda::LayerVersion": {
        "lambda layer": ["arn:aws:lambda:{region}:{account}:layer:{LayerName}"],
        "lambda layerversion": ["arn:aws:lambda:{region}:{account}:layer:{LayerName}:1"],
    },
    "AWS::Logs::LogGroup": {
        "logs log-group": [f"arn:aws:logs:{{region}}:{{account}}:log-group:{{LogGroupName}}{end}" for end in ("", ":*")]
    },
    "AWS::SQS::Queue": {"sqs queue": ["arn:aws:sqs:{region}:{account}:{QueueName}"]},
}
"""The ARNs of a resource by service and resource type, as in IAM's list of actions. `name` is the generated name."""

APIS = [
    f"arn:aws:apigateway:{REGION}::/apis{path}" for path in ("", "/a1b2", "/a1b2/routes/c3", "/a1b2/stages/$default")
]


@cache
def arns() -> dict[str, list[str]]:
    """Return the ARNs of the stack's resources by service and resource type."""
    found: dict[str, list[str]] = {}
    for name, resource in RESOURCES.items():
        generated = f"{STACK}-{name}-{SUFFIX}"
        values = {"region": REGION, "account": ACCOUNT, "stack": STACK, "name": generated, "QueueName": generated}
        for kind, templates in ARNS.get(resource["Type"], {}).items():
            found.setdefault(kind, []).extend(each.format_map(values | resource["Properties"]) for each in templates)
    return found


def arns_for(permission: str) -> Iterator[str]:
    """Yield the ARNs on which CloudFormation needs a permission: `*` if it cannot be restricted to resources."""
    service, _, name = permission.partition(":")
    if service == "apigateway":
        yield from APIS
        return
    kinds = [f"{service} {kind.lower().replace(' ', '')}" for kind in ACTIONS[service][name.lower()]]
    known = [arn for kind in kinds for arn in arns().get(kind, [])]
    assert known or not kinds, f"no example of {kinds} for {permission}"
    yield from known or ["*"]


@pytest.mark.parametrize("resource_type", sorted({resource["Type"] for resource in RESOURCES.values()}))
def test_the_execution_role_has_the_permissions_of_every_handler(resource_type: str) -> None:
    needed = {each for each in handler_permissions(resource_type) if not is_unused(each, UNUSED)}
    assert needed
    for permission in needed:
        for arn in arns_for(permission):
            assert is_allowed("ExecutionRole", permission, arn), f"{permission} on {arn}"


@pytest.mark.parametrize("resource_type", ["AWS::S3::Bucket", "AWS::S3::BucketPolicy"])
def test_the_deploy_role_can_create_the_bucket_for_artifacts_and_roll_back(resource_type: str) -> None:
    needed = {each for each in handler_permissions(resource_type) if not is_unused(each, UNUSED_BY_THE_BUCKET)}
    assert {"s3:CreateBucket", "s3:TagResource", "s3:DeleteBucket"} <= needed or resource_type != "AWS::S3::Bucket"
    for permission in needed:
        assert is_allowed("DeployRole", permission, BUCKET), permission


def test_the_deploy_role_can_create_the_stack_of_the_bucket_which_sam_tags() -> None:
    """See https://github.com/aws/aws-sam-cli/blob/develop/samcli/lib/utils/managed_cloudformation_stack.py."""
    stack = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/aws-sam-cli-managed-default/6f1c9f9a"
    for action in ("CreateChangeSet", "DescribeChangeSet", "DescribeStacks", "ExecuteChangeSet", "TagResource"):
        assert is_allowed("DeployRole", f"cloudformation:{action}", stack)


@pytest.mark.parametrize(
    "action", ["iam:CreateRole", "lambda:CreateFunction", "sqs:CreateQueue", "logs:CreateLogGroup"]
)
def test_the_deploy_role_itself_cannot_change_resources(action: str) -> None:
    for arn in arns_for(action):
        assert not is_allowed("DeployRole", action, arn)


def test_the_roles_do_not_reach_another_stack() -> None:
    for arn in (arn for resource_type, each in arns().items() if resource_type != "s3 object" for arn in each):
        other = arn.replace(f"{STACK}-", "another-").replace(f"{STACK} - ", f"{STACK}-more - ")
        if other != arn:
            for action in ("lambda:UpdateFunctionCode", "iam:PutRolePolicy", "cloudwatch:PutMetricAlarm"):
                assert not is_allowed("ExecutionRole", action, other)


def test_only_one_environment_of_one_repository_can_assume_the_deploy_role() -> None:
    (trust,) = DEPLOYMENT["Resources"]["DeployRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    subject = {"Fn::Sub": "${SubjectPrefix}:environment:${EnvironmentName}"}
    assert trust["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": subject,
        }
    }
    prefix = DEPLOYMENT["Parameters"]["SubjectPrefix"]["AllowedPattern"]
    assert re.search(prefix, "repo:octo-org@123456/octo-repo@456789")
    assert re.search(prefix, "repo:octo-org/octo-repo")
    assert not re.search(prefix, "repo:octo-org/*")


def test_cloudformation_can_assume_the_execution_role_whatever_keys_it_sends() -> None:
    """AWS documents no condition keys for the service role of a stack. One that is not sent denies every deployment.

    See https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html.
    """
    (trust,) = DEPLOYMENT["Resources"]["ExecutionRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust == {
        "Effect": "Allow",
        "Principal": {"Service": "cloudformation.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }


NAME_LENGTHS = {
    "AWS::CodeDeploy::Application": 100,
    "AWS::CodeDeploy::DeploymentGroup": 100,
    "AWS::Events::Rule": 64,
    "AWS::IAM::Role": 64,
    "AWS::Lambda::Function": 64,
    "AWS::SQS::Queue": 80,
}
"""The longest names of resources that CloudFormation names after the stack. It shortens longer ones."""


def test_the_longest_stack_name_is_not_shortened_in_names_of_resources() -> None:
    pattern = DEPLOYMENT["Parameters"]["StackName"]["AllowedPattern"]
    longest = max(length for length in range(1, 129) if re.fullmatch(pattern, "s" * length))
    for name, resource in RESOURCES.items():
        if resource["Type"] in NAME_LENGTHS and "QueueName" not in resource["Properties"]:
            assert longest + len(f"-{name}-{SUFFIX}") <= NAME_LENGTHS[resource["Type"]], name


def test_the_job_with_credentials_runs_no_development_dependencies() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "deploy.yml").read_text())["jobs"]
    with_credentials = {name for name, job in jobs.items() if "id-token" in job["permissions"]}
    assert with_credentials == {"deploy"}
    assert jobs["deploy"]["needs"] == "build"
    make = [step["run"] for step in jobs["deploy"]["steps"] if step.get("run", "").startswith("make")]
    assert make == ["make .venv-sam/ready"]
    assert [step["run"] for step in jobs["build"]["steps"] if "run" in step] == ["make build"]
