"""A stack that is deployed once more and then deleted: what is new takes effect, and nothing is left."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.issuer import AUDIENCE, issuer
from local.processes import free_port, run
from local.stack import SAM, STACK_NAME, Stack, aws_environment, deploy, deployed


@pytest.fixture(scope="module")
def own_stack() -> Iterator[Stack]:
    """A stack that no other test uses, open to servers."""
    with deployed(free_port(), free_port()) as stack:
        yield stack


def live(stack: Stack) -> list[str]:
    """Return the version that the alias of each function names."""
    functions = stack.client("lambda")
    names = [function["FunctionName"] for function in functions.list_functions()["Functions"]]
    return [functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"] for name in sorted(names)]


def test_once_tokens_are_turned_on_no_user_rejects_for_another(own_stack: Stack) -> None:
    call = own_stack.simulator.ring("user0", "user1")
    request = json.dumps({"FromUserId": "user0", "CallId": call})
    assert own_stack.post(request).status_code == 200
    before = live(own_stack)
    arn = own_stack.client("secretsmanager").describe_secret(SecretId="zim")["ARN"]
    given = {"ZimSecretArn": arn, "ZimApiBaseUrl": own_stack.simulator_url}
    with issuer() as oidc:
        deploy(own_stack, {**given, "JwtIssuer": oidc.url, "JwtAudience": AUDIENCE})
        assert own_stack.post(request).status_code == 401
        for url in (own_stack.call_reject_url, own_stack.call_reject_async_url):
            token = {"Authorization": f"Bearer {oidc.token('user1')}"}
            assert own_stack.request("POST", url, request, token, signed=False).status_code == 403
    moved = [was != now for was, now in zip(before, live(own_stack), strict=True)]
    assert moved == [True, True, False]  # the function at the queue knows no tokens


def what_is_there(stack: Stack) -> dict[str, list[Any]]:
    """List what a stack can leave behind, by kind; the stack of SAM's own bucket is shared by all."""
    stacks = stack.client("cloudformation").describe_stacks()["Stacks"]
    functions = stack.client("lambda")
    return {
        "stacks": [each["StackName"] for each in stacks if each["StackName"] == STACK_NAME],
        "functions": functions.list_functions()["Functions"],
        "layers": functions.list_layers()["Layers"],
        "event sources": functions.list_event_source_mappings()["EventSourceMappings"],
        "APIs": stack.client("apigatewayv2").get_apis()["Items"],
        "queues": stack.client("sqs").list_queues().get("QueueUrls", []),
        "rules": stack.client("events").list_rules()["Rules"],
        "roles": stack.client("iam").list_roles()["Roles"],
        "log groups": stack.client("logs").describe_log_groups()["logGroups"],
        "dashboards": stack.client("cloudwatch").list_dashboards()["DashboardEntries"],
    }


def test_deleted_it_leaves_nothing_but_the_secret(own_stack: Stack, tmp_path: Any) -> None:
    assert not [kind for kind, found in what_is_there(own_stack).items() if not found]
    run(
        [SAM, "delete", "--stack-name", STACK_NAME, "--no-prompts"],
        environment=aws_environment(own_stack.emulator_url),
        log=tmp_path / "delete.log",
    )
    assert not {kind: found for kind, found in what_is_there(own_stack).items() if found}
    (secret,) = own_stack.client("secretsmanager").list_secrets()["SecretList"]
    assert secret["Name"] == "zim"
