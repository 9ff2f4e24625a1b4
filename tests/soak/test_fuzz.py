"""Whatever is posted, the deployed routes answer as documented, no function crashes, and none grows."""

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

from local.stack import ROOT, Stack

STATUSES = {
    "call_reject_url": {200, 400, 404, 409, 422},
    "call_reject_async_url": {202, 400},
}
"""What a request can get while nothing but the request is wrong: README, "The answer"."""

GROWTH = 1.15
"""How much more memory an environment may hold at the end than after the first tenth."""

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
        "CallId": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=32),
    },
    optional={"ExtendedData": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=500)},
)
bodies = (
    valid.map(lambda value: json.dumps(value).encode())
    | valid.map(lambda value: json.dumps(value, ensure_ascii=False).encode())
    | st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | json_values.map(lambda value: json.dumps(value).encode())
    | members.map(lambda value: json.dumps(value).encode())
    | members.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    | st.integers(1, 20_000).map(lambda depth: b"[" * depth)
)
content_types = st.sampled_from(
    ["application/json", "text/plain", "application/octet-stream", "multipart/form-data", ""]
)


def resident(stack: Stack) -> list[int]:
    """Return the resident memory of each environment of the two functions, in KiB."""
    pids = [pid for name in ("CallRejectFunction", "CallRejectAsyncFunction") for pid in stack.environments(name)]
    statuses = (Path(f"/proc/{pid}/status").read_text() for pid in pids)
    return [int(status.split("VmRSS:")[1].split()[0]) for status in statuses]


def test_whatever_is_posted_is_answered_as_documented(
    open_wide: Stack, *, whole: bool, say: Callable[[str], None]
) -> None:
    examples = 10_000 if whole else 150
    answered: Counter[tuple[str, int]] = Counter()

    def fuzz(count: int) -> None:
        @settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(body=bodies, content_type=content_types, route=st.sampled_from(sorted(STATUSES)))
        def post(body: bytes, content_type: str, route: str) -> None:
            url: str = getattr(open_wide, route)
            response = open_wide.request("POST", url, body, {"Content-Type": content_type})
            answered[route, response.status_code] += 1
            assert response.status_code in STATUSES[route], (body, response.text)
            answer: dict[str, Any] = response.json()
            if response.status_code >= 400:
                assert response.headers["Content-Type"] == "application/problem+json"
                assert answer.keys() >= {"type", "title", "status", "detail", "retryable"}
                assert answer["status"] == response.status_code

        post()

    fuzz(examples // 5)
    early = max(resident(open_wide))
    for _ in range(9):
        fuzz(examples // 5)
    late = max(resident(open_wide))
    assert late < early * GROWTH
    counted = ", ".join(f"{route} {status}: {count}" for (route, status), count in sorted(answered.items()))
    say(f"{sum(answered.values())} requests ({counted}); memory {early // 1024} MiB early, {late // 1024} MiB late")


@pytest.mark.parametrize(
    ("path", "route"), [("/call-reject", "call_reject_url"), ("/call-reject/async", "call_reject_async_url")]
)
def test_every_answer_is_one_that_the_interface_describes(
    open_wide: Stack, path: str, route: str, *, whole: bool
) -> None:
    described = schemathesis.openapi.from_path(ROOT / "openapi.yaml")
    url: str = getattr(open_wide, route)

    @settings(
        max_examples=2_000 if whole else 50, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(case=described[path]["POST"].as_strategy())
    def post(case: schemathesis.Case[Any]) -> None:
        response = open_wide.request("POST", url, json.dumps(case.body))
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
