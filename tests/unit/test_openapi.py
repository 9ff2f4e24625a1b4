"""`openapi.yaml`, compared with the code."""

from typing import Any

import pytest
import yaml
from aws_lambda_powertools.utilities.validation import validate

from tests.support.paths import OPENAPI as OPENAPI_PATH
from zim.errors import (
    CallRejectError,
    Forbidden,
    InvalidRequest,
    QueueUnavailable,
    RateLimited,
    RequestExpired,
    RequestTooLarge,
)
from zim.request import SCHEMA
from zim.telemetry import ACCEPTED, REJECTED

OPENAPI: dict[str, Any] = yaml.safe_load(OPENAPI_PATH.read_text())
ERRORS: dict[str, type[CallRejectError]] = {
    error_class.__name__: error_class for error_class in CallRejectError.__subclasses__()
}
ROUTES: dict[str, tuple[int, set[type[CallRejectError]]]] = {
    "/call-reject": (REJECTED.status, set(ERRORS.values()) - {QueueUnavailable}),
    "/call-reject/async": (
        ACCEPTED.status,
        {InvalidRequest, Forbidden, RequestExpired, RequestTooLarge, RateLimited, QueueUnavailable},
    ),
}
API_GATEWAY_STATUSES = {"401", "403", "413", "429", "500", "503"}
"""The statuses that API Gateway itself returns on each route."""

every_route = pytest.mark.parametrize("path", ROUTES)


def responses(path: str) -> dict[str, Any]:
    found: dict[str, Any] = OPENAPI["paths"][path]["post"]["responses"]
    return found


def problem_examples(path: str) -> list[tuple[str, dict[str, Any]]]:
    """Return each example of a problem, with its status."""
    return [
        (status, example["value"])
        for status, response in responses(path).items()
        for example in response["content"].get("application/problem+json", {}).get("examples", {}).values()
    ]


def test_the_request_has_the_schema_of_the_code_except_that_from_user_id_is_optional() -> None:
    documented = OPENAPI["components"]["schemas"]["CallRejectRequest"]
    assert {**documented, "required": SCHEMA["required"], "$schema": SCHEMA["$schema"]} == SCHEMA
    assert documented["required"] == ["CallId"]


@every_route
def test_each_route_documents_exactly_its_statuses(path: str) -> None:
    success, errors = ROUTES[path]
    assert responses(path).keys() == {str(success), *(str(error.status) for error in errors)} | API_GATEWAY_STATUSES


@every_route
def test_each_route_documents_the_responses_of_api_gateway(path: str) -> None:
    schema = {"$ref": "#/components/schemas/GatewayMessage"}
    assert {
        status
        for status, response in responses(path).items()
        for content in response["content"].values()
        if content["schema"] == schema
    } == API_GATEWAY_STATUSES


def bodies() -> list[Any]:
    """Return the content of each request and response body."""
    requests = OPENAPI["components"]["requestBodies"]
    named = [
        *(
            (f"{name} {media}", content)
            for name, body in requests.items()
            for media, content in body["content"].items()
        ),
        *(
            (f"{path} {status} {media}", content)
            for path in ROUTES
            for status, response in responses(path).items()
            for media, content in response["content"].items()
        ),
    ]
    return [pytest.param(content, id=name) for name, content in named]


@pytest.mark.parametrize("content", bodies())
def test_examples_are_valid(content: dict[str, Any]) -> None:
    schema = {**content["schema"], "components": OPENAPI["components"]}
    assert content["examples"]
    for example in content["examples"].values():
        validate(example["value"], schema)


def test_every_route_requires_a_jwt_or_iam() -> None:
    schemes = OPENAPI["components"]["securitySchemes"]
    assert OPENAPI["security"] == [{name: []} for name in schemes]
    assert (schemes["jwt"]["type"], schemes["jwt"]["scheme"]) == ("http", "bearer")
    assert (schemes["iam"]["name"], schemes["iam"]["x-amazon-apigateway-authtype"]) == ("Authorization", "awsSigv4")
    assert not [path for path in OPENAPI["paths"].values() if "security" in path["post"]]


@every_route
def test_each_error_has_an_example_with_its_title_and_status(path: str) -> None:
    _, errors = ROUTES[path]
    shown = set()
    for status, problem in problem_examples(path):
        error = ERRORS[problem["type"].removeprefix("urn:problem-type:call-reject:")]
        assert (problem["title"], problem["status"], problem["retryable"]) == (
            error.title,
            error.status,
            error.retryable,
        )
        assert status == str(error.status)
        assert ("Retry-After" in responses(path)[status].get("headers", {})) == (error.retry_after is not None)
        shown.add(error)
    assert shown == errors


def test_problem_types_are_the_error_names() -> None:
    types = OPENAPI["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]
    names = {error.__name__ for _, errors in ROUTES.values() for error in errors}
    assert set(types) == {f"urn:problem-type:call-reject:{name}" for name in names}
