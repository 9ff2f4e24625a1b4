"""A change of the access mode: no pair of function and route, in any order of updates, lets a user act for another.

CloudFormation updates resources in the order of their references. A gradual deployment runs the old and the new
function side by side, and a rollback goes through the same pairs in the opposite order.
"""

import itertools
import json
from collections.abc import Callable
from graphlib import TopologicalSorter

import pytest

from local.zim_simulator.running import SimulatorClient
from tests.support.paths import EVENTS
from tests.unit.doubles import Function
from tests.unit.template import EXPANDED, dependencies, resolve
from zim.aws import client

JWT = {"JwtIssuer": "https://issuer.example", "JwtAudience": "app"}
MODES = {"IAM": {}, "JWT": JWT}
FOLDERS = {"CallRejectFunction": "call_reject", "CallRejectAsyncFunction": "call_reject_async"}
AUTHORIZERS = {
    "JWT": {"jwt": {"claims": {"sub": "mallory"}, "scopes": None}},
    "AWS_IAM": {"iam": {"accessKey": "AKIA", "accountId": "123456789012", "callerId": "AIDA"}},
}


ROUTES = {
    "CallRejectFunction": ("CallRejectFunctionAliaslive", "CallRejectRoute"),
    "CallRejectAsyncFunction": ("CallRejectAsyncFunctionAliaslive", "CallRejectAsyncRoute"),
}


@pytest.mark.parametrize("function", ROUTES)
def test_cloudformation_updates_the_alias_before_the_route(function: str) -> None:
    """There is therefore always a time with the new function and the old route."""
    alias, route = ROUTES[function]
    order = list(TopologicalSorter(dependencies(EXPANDED)).static_order())
    assert order.index(function) < order.index(alias) < order.index(route)


@pytest.mark.parametrize("function", FOLDERS)
@pytest.mark.parametrize(("code", "route"), list(itertools.product(MODES, MODES)))
@pytest.mark.parametrize("body", [{"FromUserId": "alice"}, {}], ids=["for alice", "without FromUserId"])
def test_no_pair_of_function_and_route_lets_a_user_act_for_another(
    function: str, code: str, route: str, body: dict[str, str], load: Callable[..., Function], zim: SimulatorClient
) -> None:
    variables = resolve(EXPANDED[function]["Properties"]["Environment"]["Variables"], MODES[code])
    queue = client("sqs").create_queue(QueueName="calls")["QueueUrl"]
    environment = {"QUEUE_URL": queue, "EXPIRES_AFTER_SECONDS": "90"}
    environment |= {name: value for name, value in variables.items() if name == "JWT_USER_CLAIM"}
    authorization = resolve(EXPANDED[ROUTES[function][1]]["Properties"], MODES[route])["AuthorizationType"]
    event = json.loads((EVENTS / function / "http_api.json").read_text())
    event["requestContext"]["authorizer"] = AUTHORIZERS[authorization]
    call_id = zim.ring("alice")
    event |= {"body": json.dumps({"CallId": call_id, **body}), "isBase64Encoded": False}

    status = load(FOLDERS[function], **environment)(event)["statusCode"]

    synchronous = function == "CallRejectFunction"
    if code != route:
        assert status == 403
    elif code == "JWT":
        own = 422 if synchronous else 202  # mallory is not registered with ZIM
        assert status == (403 if body else own)
    else:
        assert status == (400 if not body else 200 if synchronous else 202)
    allowed = (code, route) == ("IAM", "IAM") and bool(body) and synchronous
    assert zim.call(call_id).state == ("rejected" if allowed else "ringing")
