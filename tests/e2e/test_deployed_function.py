"""The deployed function: invoked directly, its concurrency, its rights, what it logs."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.invoke import requests_in
from local.processes import run, until
from local.stack import ROOT, SAM, STACK_NAME, Stack, aws_environment, logged
from local.zim_simulator.zim import APP_ID, SERVER_SECRET

WAIT_SECONDS = 30.0
EVENTS = sorted((ROOT / "events").glob("*/*.json"))


def physical_id(stack: Stack, logical_id: str) -> str:
    resource = stack.client("cloudformation").describe_stack_resource(
        StackName=STACK_NAME, LogicalResourceId=logical_id
    )
    name: str = resource["StackResourceDetail"]["PhysicalResourceId"]
    return name


def invoked(stack: Stack, event: Any) -> tuple[str | None, Any]:
    """Invoke as `aws lambda invoke` does: the kind of error, if any, and what the function returned."""
    answer = stack.client("lambda").invoke(
        FunctionName=stack.outputs["CallRejectFunctionName"], Payload=json.dumps(event)
    )
    return answer.get("FunctionError"), json.loads(answer["Payload"].read())


def test_invoked_directly_it_returns_zims_answer_as_a_value(stack: Stack) -> None:
    error, answer = invoked(stack, {"FromUserId": "user0", "CallId": stack.simulator.ring("user0")})
    assert error is None
    assert answer.keys() == {"Code", "Message", "RequestId"}


def test_invoked_directly_a_failure_is_an_error_with_the_problem(stack: Stack) -> None:
    """Its name, which state machines catch, is proved on the built artifact: the emulator does not pass it on."""
    stack.simulator.fault("code", code=660900004)
    error, answer = invoked(stack, {"FromUserId": "user0", "CallId": "call-1"})
    assert error
    assert json.loads(answer["errorMessage"]).items() >= {"status": 404, "Code": 660900004}.items()


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: f"{event.parent.name}/{event.name}")
def test_every_sample_event_is_served_by_sam_remote_invoke(stack: Stack, event: Any, tmp_path: Any) -> None:
    requests = requests_in(json.loads(event.read_text()))
    assert requests
    for request in requests:
        stack.simulator.ring(request["FromUserId"], call_id=request["CallId"])
    run(
        [SAM, "remote", "invoke", event.parent.name, "--stack-name", STACK_NAME, "--event-file", event],
        environment=aws_environment(stack.emulator_url),
        log=tmp_path / "invoke.log",
    )
    until(
        lambda: all(stack.simulator.call(request["CallId"]).state == "rejected" for request in requests),
        WAIT_SECONDS,
        "The calls were not rejected",
    )


def test_as_many_environments_are_reserved_as_the_window_counts_on(stack: Stack) -> None:
    functions, (name, _alias) = stack.client("lambda"), stack.outputs["CallRejectFunctionName"].rsplit(":", 1)
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    reserved = functions.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"]
    assert reserved == int(variables["RESERVED_CONCURRENCY"]) == 5


def test_no_more_requests_than_reserved_are_served_at_once_whoever_sends_them(stack: Stack) -> None:
    """The reservation is the function's, and requests come by its alias."""
    stack.simulator.fault("slow", times=20, seconds=2.0)
    requests = [json.dumps({"FromUserId": "user0", "CallId": stack.simulator.ring("user0")}) for _ in range(8)]
    with ThreadPoolExecutor(len(requests)) as callers:
        statuses = Counter(response.status_code for response in callers.map(stack.post, requests))
    stack.simulator.clear_faults()
    assert statuses == {200: 5, 429: 3}


def test_a_right_taken_away_is_told_and_given_back_is_enough(stack: Stack) -> None:
    """The emulator enforces the role's policy, so this also shows that the right comes from there."""
    roles, role = stack.client("iam"), physical_id(stack, "CallRejectRole")
    secrets = stack.client("secretsmanager")
    policy = roles.get_role_policy(RoleName=role, PolicyName="CallReject")["PolicyDocument"]
    rotated = stack.simulator.rotate()
    secrets.put_secret_value(SecretId="zim", SecretString=json.dumps({"AppId": APP_ID, "ServerSecret": rotated}))
    roles.delete_role_policy(RoleName=role, PolicyName="CallReject")
    request = json.dumps({"FromUserId": "user0", "CallId": stack.simulator.ring("user0")})
    try:
        forbidden = stack.post(request)
    finally:
        roles.put_role_policy(RoleName=role, PolicyName="CallReject", PolicyDocument=json.dumps(policy))
    assert forbidden.status_code == 500
    assert forbidden.json()["type"].endswith(":SecretUnreadable")
    assert stack.post(request).status_code == 200
    stack.simulator.reset()
    secrets.put_secret_value(SecretId="zim", SecretString=json.dumps({"AppId": APP_ID, "ServerSecret": SERVER_SECRET}))
    assert stack.post(request).status_code == 422


def test_a_request_is_one_line_in_the_functions_log_group_and_shows_no_secret(stack: Stack) -> None:
    call_id = stack.simulator.ring("user0", call_id="call-in-the-log")
    planted = "planted-extended-data"
    stack.post(json.dumps({"FromUserId": "user0", "CallId": call_id, "ExtendedData": planted}))
    signature = stack.simulator.requests()[0].parameters["Signature"]
    lines = logged(stack, lambda lines: any(call_id in line for line in lines))
    (line,) = (json.loads(line) for line in lines if call_id in line)
    assert line["level"] == "INFO"
    assert line["status"] == 200
    assert line["trigger"] == "http"
    everything = "\n".join(lines)
    assert not [secret for secret in (SERVER_SECRET, signature, planted) if secret in everything]
