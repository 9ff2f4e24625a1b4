"""The deployed functions: direct invocation, the sample events, the rights of the role, and the log."""

import json
from pathlib import Path
from typing import Any

import pytest

from local.invoke import requests_in
from local.stack import STACK_NAME, Stack, logged
from tests.e2e.conftest import JwtStack, wait_until_rejected
from tests.support.paths import EVENTS


def physical_id(stack: Stack, logical_id: str) -> str:
    resource = stack.client("cloudformation").describe_stack_resource(
        StackName=STACK_NAME, LogicalResourceId=logical_id
    )
    name: str = resource["StackResourceDetail"]["PhysicalResourceId"]
    return name


def invoke(stack: Stack, logical_id: str, event: Any) -> tuple[str | None, Any]:
    """Invoke the live alias of a function; return the error, if any, and the result."""
    response = stack.client("lambda").invoke(
        FunctionName=physical_id(stack, logical_id), Qualifier="live", Payload=json.dumps(event)
    )
    return response.get("FunctionError"), json.loads(response["Payload"].read())


REQUEST_EVENTS = [path for path in sorted(EVENTS.glob("*/*.json")) if path.stem != "canary"]


@pytest.mark.parametrize("event_file", REQUEST_EVENTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_function_handles_its_sample_events(stack: Stack, jwt_stack: JwtStack, event_file: Path) -> None:
    event = json.loads(event_file.read_text())
    if "requestContext" in event:  # with the claims of a token
        stack = jwt_stack.stack
    requests = requests_in(event)
    assert requests
    for request in requests:
        stack.simulator.ring(request["FromUserId"], call_id=request["CallId"])
    error, _ = invoke(stack, event_file.parent.name, event)
    assert error is None
    wait_until_rejected(stack, *(request["CallId"] for request in requests))


def test_the_function_reads_the_secret_with_the_rights_of_its_role(stack: Stack) -> None:
    """The emulator enforces policies, so the other tests prove that the roles have all rights that they need."""
    iam, role = stack.client("iam"), physical_id(stack, "CallRejectRole")
    request = json.dumps({"FromUserId": "user0", "CallId": stack.simulator.ring("user0")})
    policy = iam.get_role_policy(RoleName=role, PolicyName="CallReject")["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName="CallReject")
    stack.simulator.rotate()  # so that the function reads the secret again
    try:
        response = stack.post(request)
    finally:
        iam.put_role_policy(RoleName=role, PolicyName="CallReject", PolicyDocument=json.dumps(policy))
    assert response.status_code == 500
    assert response.json()["type"].endswith(":SecretUnavailable")
    stack.simulator.reset()
    assert stack.post(request).status_code == 422


def test_a_request_is_one_line_in_the_log_group(stack: Stack) -> None:
    call_id = stack.simulator.ring("user0", call_id="call-in-the-log")
    stack.post(json.dumps({"FromUserId": "user0", "CallId": call_id}))
    lines = logged(stack, lambda lines: any(call_id in line for line in lines))
    (line,) = (json.loads(line) for line in lines if call_id in line)
    assert (line["level"], line["outcome"], line["trigger"]) == ("INFO", "Rejected", "http")
