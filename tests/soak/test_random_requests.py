"""Random requests: the responses are as documented, no function crashes, and memory does not grow."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from local.stack import Stack
from tests.support.paths import OPENAPI

ROUTES = {"/call-reject": "call_reject_url", "/call-reject/async": "call_reject_async_url"}
STATUSES = {"/call-reject": {200, 400, 404, 409, 422}, "/call-reject/async": {202, 400}}
"""The statuses that depend only on the request."""

MAX_GROWTH = 1.15
"""The memory of an environment at the end, relative to its memory after a tenth of the requests."""

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=500)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
members = st.fixed_dictionaries(
    {},
    optional={
        "FromUserId": st.text(max_size=40) | st.just("user0") | json_values,
        "CallId": st.text(max_size=40) | st.just("call-1") | json_values,
        "ExtendedData": st.text(max_size=3000) | json_values,
        "Unknown": json_values,
    },
)
valid = st.fixed_dictionaries(
    {
        "FromUserId": st.just("user0")
        | st.from_regex(r"[0-9A-Za-z !#$%&()+\-:;<=.>?@\[\]^_{}|~]{1,32}", fullmatch=True),
        "CallId": text.map(lambda value: value[:32]).filter(bool),
    },
    optional={"ExtendedData": text},
)
bodies = (
    (valid | json_values | members).map(lambda value: json.dumps(value).encode())
    | (valid | members).map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    | st.binary(max_size=200)
    | st.text(max_size=200).map(lambda value: value.encode("utf-8", "surrogatepass"))
    | st.integers(1, 20_000).map(lambda depth: b"[" * depth)
)
content_types = st.sampled_from(["application/json", "text/plain", "application/octet-stream", ""])


@pytest.fixture
def unlimited_stack(stack: Stack) -> Stack:
    """The stack, with a simulator that knows user0 and has no rate limit."""
    stack.simulator.settings(calls_per_second=100_000)
    stack.simulator.register("user0")
    return stack


def examples(count: int) -> settings:
    return settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), database=None)


def max_memory(stack: Stack) -> int:
    """Return the resident memory of the largest environment behind HTTPS, in KiB."""
    pids = [pid for name in ("CallRejectFunction", "CallRejectAsyncFunction") for pid in stack.environments(name)]
    statuses = (Path(f"/proc/{pid}/status").read_text() for pid in pids)
    return max(int(status.split("VmRSS:")[1].split()[0]) for status in statuses)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="requires /proc")
def test_random_bodies_get_documented_responses_and_memory_does_not_grow(
    unlimited_stack: Stack, *, long_form: bool, report: Callable[[str], None]
) -> None:
    responses: Counter[tuple[str, int]] = Counter()

    def send(count: int) -> None:
        @examples(count)
        @given(body=bodies, content_type=content_types, path=st.sampled_from(sorted(ROUTES)))
        def post(body: bytes, content_type: str, path: str) -> None:
            url: str = getattr(unlimited_stack, ROUTES[path])
            response = unlimited_stack.request("POST", url, body, {"Content-Type": content_type})
            responses[path, response.status_code] += 1
            assert response.status_code in STATUSES[path], (body, response.text)
            if response.status_code >= 400:
                assert response.headers["Content-Type"] == "application/problem+json"
                assert response.json()["status"] == response.status_code

        post()

    tenth = 2000 if long_form else 15
    send(tenth)
    early = max_memory(unlimited_stack)
    for _ in range(9):
        send(tenth)
    late = max_memory(unlimited_stack)
    assert late < early * MAX_GROWTH
    counts = ", ".join(f"{path} {status}: {count}" for (path, status), count in sorted(responses.items()))
    report(f"{sum(responses.values())} requests ({counts}); memory {early // 1024} MiB, then {late // 1024} MiB")


@pytest.mark.parametrize("path", ROUTES)
def test_responses_conform_to_openapi(unlimited_stack: Stack, path: str, *, long_form: bool) -> None:
    operation = schemathesis.openapi.from_path(OPENAPI)[path]["POST"]
    url: str = getattr(unlimited_stack, ROUTES[path])

    @examples(2_000 if long_form else 30)
    @given(case=operation.as_strategy())
    def post(case: schemathesis.Case[Any]) -> None:
        response = unlimited_stack.request("POST", url, json.dumps(case.body))
        case.validate_response(
            response,
            checks=[
                not_a_server_error,
                status_code_conformance,
                content_type_conformance,
                response_headers_conformance,
                response_schema_conformance,
            ],
        )

    post()
