"""The template of examples/do-not-disturb: its rule, its permissions, and what it shares with `template.yaml`."""

import json
import re
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from tests.support.paths import ROOT
from tests.unit.iam import actions, as_list
from tests.unit.template import TEMPLATE as MAIN
from zim.request import CallRejectRequest

EXAMPLE = ROOT / "examples" / "do-not-disturb"
TEMPLATE: dict[str, Any] = yaml_parse((EXAMPLE / "template.yaml").read_text())
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]
SOURCES = EXAMPLE / "src" / "do_not_disturb"
(TARGET,) = RESOURCES["CallRejectRule"]["Properties"]["Targets"]

DETAIL = {
    "CallId": "10432190475582964177",
    "Caller": "caller0",
    "Callee": "a <call> & ~",
    "InvitedAt": 1_795_251_570,
    "ExpiresAt": 1_795_251_660,
}


def properties(kind: str) -> dict[str, dict[str, Any]]:
    return {name: each["Properties"] for name, each in RESOURCES.items() if each["Type"] == kind}


def transform(detail: dict[str, Any]) -> str:
    """Fill in the input template as EventBridge does: it adds quotes to strings outside of quotes, and escapes nothing.

    See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html.
    """

    def text(value: object) -> str:
        return f'"{value}"' if isinstance(value, str) else str(value)

    transformer = TARGET["InputTransformer"]
    paths = {name: path.removeprefix("$.detail.") for name, path in transformer["InputPathsMap"].items()}
    return re.sub(r"<(\w+)>", lambda match: text(detail[paths[match[1]]]), transformer["InputTemplate"])


def test_the_rule_sends_a_valid_request_to_reject_the_call_as_busy() -> None:
    request = CallRejectRequest.from_dict(json.loads(transform(DETAIL)))
    assert (request.from_user_id, request.call_id) == (DETAIL["Callee"], DETAIL["CallId"])
    assert request.expires_at == DETAIL["ExpiresAt"]
    assert json.loads(request.extended_data or "")["reason"] == "busy"


def test_the_rule_matches_the_events_of_the_function_for_callees_who_are_not_available() -> None:
    schema = json.loads((EXAMPLE / "events" / "user_invited.schema.json").read_text())["properties"]
    pattern = RESOURCES["CallRejectRule"]["Properties"]["EventPattern"]
    assert pattern["source"] == [schema["source"]["const"]]
    assert pattern["detail-type"] == [schema["detail-type"]["const"]]
    values = schema["detail"]["properties"]["Availability"]["enum"]
    assert pattern["detail"] == {"Availability": [value for value in values if value != "Available"]}
    assert pattern["account"] == [{"Ref": "AWS::AccountId"}]


def test_the_function_has_the_environment_variables_that_it_reads() -> None:
    variables = set(RESOURCES["DoNotDisturbFunction"]["Properties"]["Environment"]["Variables"])
    code = "\n".join(path.read_text() for path in SOURCES.glob("*.py"))
    read = set(re.findall(r'environ(?:\.get\(|\[)"(\w+)"', code))
    assert variables == read | {"POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_SERVICE_NAME"}


def test_each_route_of_the_function_is_a_route_of_the_api() -> None:
    decorators = re.findall(r'@app\.(\w+)\("([^"]+)"\)', (SOURCES / "app.py").read_text())
    routes = properties("AWS::ApiGatewayV2::Route").values()
    assert sorted(route["RouteKey"] for route in routes) == sorted(
        f"{method.upper()} {path}" for method, path in decorators
    )


def test_only_the_route_for_callbacks_has_no_authorizer() -> None:
    routes = properties("AWS::ApiGatewayV2::Route").values()
    authorization = {route["RouteKey"]: route["AuthorizationType"] for route in routes}
    assert authorization.pop("POST /callbacks/zim") == "NONE"
    assert all(value == {"Fn::If": ["UseJwt", "JWT", "AWS_IAM"]} for value in authorization.values())


@pytest.mark.parametrize("name", ["JwtIssuer", "JwtAudience", "JwtUserClaim", "EventBusName"])
def test_parameters_of_the_same_name_accept_the_same_values(name: str) -> None:
    shared = ("Type", "Default", "AllowedPattern", "ConstraintDescription")
    assert [TEMPLATE["Parameters"][name].get(key) for key in shared] == [
        MAIN["Parameters"][name].get(key) for key in shared
    ]


def test_the_workflow_puts_its_input_on_the_bus_of_the_call_reject_stack() -> None:
    (workflow,) = properties("AWS::StepFunctions::StateMachine").values()
    (entry,) = workflow["Definition"]["States"]["PutEvent"]["Parameters"]["Entries"]
    rule = MAIN["Resources"]["CallRejectRequestedRule"]["Properties"]
    assert [entry["DetailType"]] == rule["EventPattern"]["detail-type"]
    assert entry["EventBusName"] == rule["EventBusName"] == {"Ref": "EventBusName"}
    assert entry["Detail.$"] == "$"


def test_a_request_that_the_workflow_cannot_put_on_the_bus_is_kept_in_a_queue() -> None:
    (workflow,) = properties("AWS::StepFunctions::StateMachine").values()
    states = workflow["Definition"]["States"]
    (catch,) = states["PutEvent"]["Catch"]
    assert catch["ErrorEquals"] == ["States.ALL"]
    assert states[catch["Next"]]["Parameters"] == {"QueueUrl": {"Ref": "UndeliveredQueue"}, "MessageBody.$": "$"}


def test_the_source_of_the_request_is_the_documented_one_and_starts_no_workflow() -> None:
    (workflow,) = properties("AWS::StepFunctions::StateMachine").values()
    (entry,) = workflow["Definition"]["States"]["PutEvent"]["Parameters"]["Entries"]
    assert f"add `{entry['Source']}`" in (EXAMPLE / "README.md").read_text()
    pattern = RESOURCES["CallRejectRule"]["Properties"]["EventPattern"]
    assert entry["Source"] not in pattern["source"]
    assert entry["DetailType"] not in pattern["detail-type"]


def test_an_event_that_does_not_start_the_workflow_is_kept_in_a_queue_and_not_retried_for_a_day() -> None:
    """The emulator neither retries a target nor uses its dead-letter queue."""
    queue = {"Fn::GetAtt": ["UndeliveredQueue", "Arn"]}
    assert TARGET["DeadLetterConfig"] == {"Arn": queue}
    assert TARGET["RetryPolicy"]["MaximumEventAgeInSeconds"] <= 90
    (statement,) = RESOURCES["UndeliveredQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Principal"], statement["Action"]) == ({"Service": "events.amazonaws.com"}, "sqs:SendMessage")
    assert statement["Resource"] == queue
    rule = {"Fn::GetAtt": ["CallRejectRule", "Arn"]}
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": rule}}


def permissions() -> dict[str, dict[str, set[str]]]:
    """Return the actions of each role by resource."""
    found: dict[str, dict[str, set[str]]] = {}
    for name, role in properties("AWS::IAM::Role").items():
        for policy in role["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                resource = json.dumps(statement["Resource"])
                found.setdefault(name, {}).setdefault(resource, set()).update(as_list(statement["Action"]))
    return found


def test_each_role_names_known_actions_and_single_resources() -> None:
    for role in permissions().values():
        for resource, allowed in role.items():
            assert "*" not in resource
            assert all(actions(action) == {action.lower()} for action in allowed)


def test_the_rule_starts_the_workflow_which_only_sends_to_the_bus_and_its_queue() -> None:
    assert permissions()["CallRejectRuleRole"] == {json.dumps({"Ref": "CallRejectWorkflow"}): {"states:StartExecution"}}
    event_bus, queue = permissions()["CallRejectWorkflowRole"].items()
    assert event_bus[0].endswith(':event-bus/${EventBusName}"}')
    assert event_bus[1] == {"events:PutEvents"}
    assert event_bus in permissions()["DoNotDisturbRole"].items()
    assert queue == (json.dumps({"Fn::GetAtt": ["UndeliveredQueue", "Arn"]}), {"sqs:SendMessage"})


def test_a_removed_stack_keeps_the_settings_of_the_users_only() -> None:
    kept = {name for name, each in RESOURCES.items() if each.get("DeletionPolicy", "Delete") != "Delete"}
    assert kept == {"SettingsTable", "JwtAuthorizer"}
