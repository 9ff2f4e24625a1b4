"""`openapi.yaml`, held against what the code does."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from aws_lambda_powertools.utilities.validation import validate

from zim import outcome
from zim.outcome import ACCEPTED, NOT_ALLOWED, QUEUE_UNAVAILABLE, REJECTED, TOO_OLD, Kind
from zim.request import SCHEMA

OPENAPI: dict[str, Any] = yaml.safe_load((Path(__file__).resolve().parents[2] / "openapi.yaml").read_text())
KINDS = {kind.name: kind for kind in vars(outcome).values() if isinstance(kind, Kind)}
ASYNC = {ACCEPTED, outcome.INVALID_REQUEST, NOT_ALLOWED, QUEUE_UNAVAILABLE}
SYNC = set(KINDS.values()) - {ACCEPTED, QUEUE_UNAVAILABLE, TOO_OLD}
ROUTES = [("/call-reject", SYNC), ("/call-reject/async", ASYNC)]
GATEWAY = {"401", "403", "429", "500", "503"}
"""What API Gateway answers by itself, on any route: README, "The answer"."""


def responses(path: str) -> dict[str, Any]:
    found: dict[str, Any] = OPENAPI["paths"][path]["post"]["responses"]
    return found


def test_the_request_is_described_by_the_schema_that_validates_it() -> None:
    """But for FromUserId, which whoever has a token leaves out."""
    described = OPENAPI["components"]["schemas"]["CallRejectRequest"]
    assert {**described, "required": SCHEMA["required"], "$schema": SCHEMA["$schema"]} == SCHEMA
    assert described["required"] == ["CallId"]


@pytest.mark.parametrize(("path", "kinds"), ROUTES)
def test_each_route_documents_every_status_it_can_answer_and_no_other(path: str, kinds: set[Kind]) -> None:
    assert responses(path).keys() == {str(kind.status) for kind in kinds} | GATEWAY


@pytest.mark.parametrize(("path", "kinds"), ROUTES)
def test_what_the_gateway_answers_by_itself_is_documented_on_each_route(path: str, kinds: set[Kind]) -> None:
    own = {"$ref": "#/components/schemas/GatewayMessage"}
    found = {s for s, response in responses(path).items() for c in response["content"].values() if c["schema"] == own}
    assert found == GATEWAY


def examples() -> list[Any]:
    """Return each body that is described, of requests and answers, under where it stands."""
    bodies = OPENAPI["components"]["requestBodies"]
    described = [
        (f"{name} {media}", content) for name, body in bodies.items() for media, content in body["content"].items()
    ]
    for path, _ in ROUTES:
        for status, response in responses(path).items():
            described += [(f"{path} {status} {media}", content) for media, content in response["content"].items()]
    return [pytest.param(content, id=where) for where, content in described]


@pytest.mark.parametrize("content", examples())
def test_every_body_has_examples_that_keep_its_schema(content: dict[str, Any]) -> None:
    schema = {**content["schema"], "components": OPENAPI["components"]}
    assert content["examples"]
    for example in content["examples"].values():
        validate(example["value"], schema)


def test_either_a_token_or_a_signature_of_iam_opens_both_routes() -> None:
    schemes = OPENAPI["components"]["securitySchemes"]
    assert OPENAPI["security"] == [{name: []} for name in schemes]
    assert (schemes["jwt"]["type"], schemes["jwt"]["scheme"]) == ("http", "bearer")
    assert (schemes["iam"]["name"], schemes["iam"]["x-amazon-apigateway-authtype"]) == ("Authorization", "awsSigv4")
    assert not [path for path in OPENAPI["paths"].values() if "security" in path["post"]]


@pytest.mark.parametrize(("path", "kinds"), ROUTES)
def test_every_problem_has_an_example_that_says_what_the_code_says(path: str, kinds: set[Kind]) -> None:
    shown = set()
    for status, response in responses(path).items():
        problem = response["content"].get("application/problem+json")
        if not problem:
            continue
        for example in problem["examples"].values():
            value = example["value"]
            kind = KINDS[value["type"].removeprefix("urn:problem-type:call-reject:")]
            assert (value["title"], value["status"], value["retryable"]) == (kind.title, kind.status, kind.retryable)
            assert status == str(kind.status)
            assert ("Retry-After" in response.get("headers", {})) == (kind.retry_after is not None)
            shown.add(kind)
    assert shown == kinds - {REJECTED, ACCEPTED}


def test_the_problem_types_are_those_of_the_code() -> None:
    types = OPENAPI["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]
    problems = {kind.name for kind in SYNC | ASYNC if not kind.is_success()}
    assert set(types) == {f"urn:problem-type:call-reject:{name}" for name in problems}


def test_every_detail_shown_for_a_code_of_zims_has_zims_members_with_it() -> None:
    for path, _ in ROUTES:
        for response in responses(path).values():
            for example in response["content"].get("application/problem+json", {}).get("examples", {}).values():
                value = example["value"]
                assert ("ZIM answered" in value["detail"]) == ("Code" in value)
