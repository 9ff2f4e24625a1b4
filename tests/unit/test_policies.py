"""The IAM policies of all templates, checked against IAM's list of actions, and cfn-lint after the transform."""

import fnmatch
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from samtranslator.yaml_helper import yaml_parse

from tests.support.paths import DOCS, ROOT
from tests.unit.alarms import DEFAULT_BUS
from tests.unit.iam import ACTIONS, ARN_FORMATS, actions, as_list
from tests.unit.template import TEMPLATE, Resources, expand, resolve

VALUES = {
    **DEFAULT_BUS,
    "StackName": "stack",
    "GradualDeployment": "true",
    "Tracing": "true",
    "SecretKmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1",
    "SnsTopicArns": "arn:aws:sns:us-east-1:123456789012:declined",
    **{
        f"{name}.Arn": f"arn:aws:{arn}"
        for name, arn in {
            "CallRejectQueue": "sqs:us-east-1:123456789012:stack-call-reject",
            "CallRejectDeadLetterQueue": "sqs:us-east-1:123456789012:stack-CallRejectDeadLetterQueue-1",
            "CallRejectRequestedRule": "events:us-east-1:123456789012:rule/stack-CallRejectRequestedRule-1",
            "CallRejectLogGroup": "logs:us-east-1:123456789012:log-group:stack-call-reject:*",
            "CallRejectAsyncLogGroup": "logs:us-east-1:123456789012:log-group:stack-call-reject-async:*",
            "CallRejectQueueLogGroup": "logs:us-east-1:123456789012:log-group:stack-call-reject-queue:*",
            "ExecutionRole": "iam::123456789012:role/github/execution",
            "CallRejectRule": "events:us-east-1:123456789012:rule/stack-CallRejectRule-1",
            "UndeliveredQueue": "sqs:us-east-1:123456789012:stack-UndeliveredQueue-1",
            "SettingsTable": "dynamodb:us-east-1:123456789012:table/stack-SettingsTable-1",
            "CallbacksTable": "dynamodb:us-east-1:123456789012:table/stack-CallbacksTable-1",
            "DoNotDisturbLogGroup": "logs:us-east-1:123456789012:log-group:stack:*",
        }.items()
    },
    "CallbackSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:zim-callback-AbCdEf",
    "CallRejectWorkflow": "arn:aws:states:us-east-1:123456789012:stateMachine:CallRejectWorkflow-1",
}
DEPLOYMENT: Resources = yaml_parse((DOCS / "github-deploy-role.yaml").read_text())["Resources"]
(_trust,) = DEPLOYMENT["DeployRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
_trust["Principal"] = {"Federated": "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"}
EXAMPLE: dict[str, Any] = yaml_parse((ROOT / "examples" / "do-not-disturb" / "template.yaml").read_text())

CONDITION_OPERATORS = {
    "aws:ResourceAccount": "String",
    "aws:SecureTransport": "Bool",
    "aws:SourceArn": "Arn",
    "iam:AWSServiceName": "String",
    "iam:PassedToService": "String",
    "iam:PolicyARN": "Arn",
    "kms:ViaService": "String",
    "lambda:FunctionArn": "Arn",
    "token.actions.githubusercontent.com:aud": "String",
    "token.actions.githubusercontent.com:sub": "String",
}
"""The documented condition keys in use, and the type of their operators."""


def policies() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the kind (identity, resource or trust), the name and the document of each policy."""
    for name, resource in resolve({**expand(VALUES), **DEPLOYMENT, **EXAMPLE["Resources"]}, VALUES).items():
        properties = resource["Properties"]
        for policy in properties.get("Policies", []):
            yield "identity", f"{name} {policy['PolicyName']}", policy["PolicyDocument"]
        if "AssumeRolePolicyDocument" in properties:
            yield "trust", name, properties["AssumeRolePolicyDocument"]
        if resource["Type"] == "AWS::SQS::QueuePolicy":
            yield "resource", name, properties["PolicyDocument"]


STATEMENTS = [
    pytest.param(kind, statement, id=f"{name} {index}")
    for kind, name, document in policies()
    for index, statement in enumerate(as_list(document["Statement"]))
]
every_statement = pytest.mark.parametrize(("kind", "statement"), STATEMENTS)


@every_statement
def test_a_statement_has_known_elements_and_actions(kind: str, statement: dict[str, Any]) -> None:
    assert statement.keys() <= {"Sid", "Effect", "Action", "Resource", "Principal", "Condition"}
    assert ("Principal" in statement) is (kind != "identity")
    assert ("Resource" in statement) is (kind != "trust")
    for pattern in as_list(statement["Action"]):
        assert actions(pattern), pattern


@every_statement
def test_conditions_have_documented_keys_and_matching_operators(kind: str, statement: dict[str, Any]) -> None:
    for operator, keys in statement.get("Condition", {}).items():
        for key in keys:
            assert operator.startswith(CONDITION_OPERATORS[key]), f"{operator} {key} in a policy of kind {kind}"


TRANSFORM = "arn:aws:cloudformation:*:aws:transform/"
"""See https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/control-access-with-iam.html."""


def formats(action: str) -> list[str]:
    """Return the forms of the ARNs that an action can be restricted to."""
    service, _, name = action.partition(":")
    return [pattern for kind in ACTIONS[service][name] for pattern in ARN_FORMATS[service].get(kind.lower(), [])]


def is_form(pattern: str, arn: str) -> bool:
    """Return whether an ARN in a policy, which can have wildcards, has the form of a resource type."""
    literal = re.sub(r"\$\{\w+\}", "*", pattern.replace(".*", "*"))
    return fnmatch.fnmatchcase(arn, literal) or fnmatch.fnmatchcase(arn.replace("*", "x"), literal)


@every_statement
def test_each_resource_has_the_form_that_an_action_expects(kind: str, statement: dict[str, Any]) -> None:
    if kind == "trust":
        return
    allowed = {action for pattern in as_list(statement["Action"]) for action in actions(pattern)}
    for arn in as_list(statement["Resource"]):
        if arn != "*" and not arn.startswith(("arn:aws:apigateway:", TRANSFORM)):
            assert any(is_form(pattern, arn) for action in allowed for pattern in formats(action)), arn


RESTRICTED_OTHERWISE = {
    "lambda:listtags": "event source mappings, which are named by id",
    "lambda:tagresource": "event source mappings, which are named by id",
    "lambda:untagresource": "event source mappings, which are named by id",
    "lambda:geteventsourcemapping": "event source mappings, which are named by id",
    "logs:describeloggroups": "CloudFormation lists log groups without a resource",
    "logs:describeindexpolicies": "CloudFormation lists policies without a resource",
    "cloudwatch:describealarms": "CloudFormation lists alarms without a resource",
    "cloudformation:gettemplatesummary": "of a template, not of a stack",
}
"""Actions that are allowed on all resources, although IAM can restrict them, and why."""


@every_statement
def test_an_action_on_all_resources_cannot_be_restricted(kind: str, statement: dict[str, Any]) -> None:
    if kind == "identity" and statement["Resource"] == "*" and "Condition" not in statement:
        for action in (action for pattern in as_list(statement["Action"]) for action in actions(pattern)):
            assert not formats(action) or action in RESTRICTED_OTHERWISE, action


EXPLAINED = {"I3011": "log groups and queues are deleted with the stack"}


@pytest.mark.parametrize(
    ("template", "values"),
    [(TEMPLATE, {}), (TEMPLATE, {"GradualDeployment": "true"}), (EXAMPLE, {})],
    ids=["call-reject", "call-reject, gradual", "do-not-disturb"],
)
def test_the_expanded_template_has_no_unexplained_findings(template: dict[str, Any], values: dict[str, str]) -> None:
    """`make template` checks the templates before the transform, and the expanded one of call-reject with Checkov."""
    parts = ("AWSTemplateFormatVersion", "Description", "Parameters", "Rules", "Conditions")
    expanded = {name: template[name] for name in parts} | {"Resources": expand(values, template=template)}
    matches = lint(json.dumps(expanded), config=ManualArgs(include_checks=["I"], regions=["us-east-1", "eu-central-1"]))
    assert not [str(match) for match in matches if match.rule.id not in EXPLAINED]
