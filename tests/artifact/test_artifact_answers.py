"""Every row of the design's table: what a caller is told for each of ZIM's return codes.

The table stands here in its own words, so that a slip in the layer's table does not pass for what was meant.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from local.zim_simulator.return_codes import Code
from local.zim_simulator.running import SimulatorClient
from tests.artifact.runtime import REQUEST, Function, Response
from zim.return_codes import RETURN_CODES

USER, CALL = REQUEST["FromUserId"], REQUEST["CallId"]


@dataclass(frozen=True)
class Row:
    """An outcome, and the codes that come to it."""

    name: str
    status: int
    codes: tuple[int, ...]
    retryable: bool = False
    retry_after: bool = False


ROWS = (
    Row("InvalidRequest", 400, (2, 660000002, 660000012)),
    Row("UserNotRegistered", 422, (51102, 660500002)),
    Row("CallNotFound", 404, (660900004,), retryable=True),
    Row("NothingToReject", 409, (660900005, 660900006, 660900008)),
    Row("RateLimited", 429, (7, 660300005), retryable=True, retry_after=True),
    Row(
        "ZimInTrouble",
        503,
        (1, 105001, 660000001, 660000003, 100000010, 100000011, 100000012, 100000015),
        retryable=True,
        retry_after=True,
    ),
    Row(
        "ZimRefusesUs",
        502,
        # The last two are not in ZIM's list of codes, yet of the gateway's hundred.
        (3, 660000028, *range(100000000, 100000010), 100000013, 100000014, 100000016, 100000017, 100000018, 100000099),
    ),
    Row("UnexpectedAnswer", 502, (-1, 42, 660900007, 100000100, 999999999, 2**63 - 1), retryable=True),
)
TABLE = [(code, row) for row in ROWS for code in row.codes]


def row_of(code: int) -> Row:
    return dict(TABLE)[code]


def assert_is_what_the_table_says(response: Response, code: int, message: str) -> None:
    row, members = row_of(code), response.members
    assert response.status == row.status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert ("Retry-After" in response.headers) is row.retry_after
    assert int(response.headers.get("Retry-After", "1")) >= 1
    assert members.keys() == {"type", "title", "status", "detail", "retryable", "Code", "Message", "RequestId"}
    assert members["type"] == f"urn:problem-type:call-reject:{row.name}"
    assert members["title"]
    assert members["status"] == row.status
    assert str(code) in members["detail"]
    assert members["retryable"] is row.retryable
    assert (members["Code"], members["Message"]) == (code, message)
    assert re.fullmatch("[0-9]{18}", members["RequestId"])


def test_the_table_has_every_code_that_the_simulator_gives() -> None:
    assert {int(code) for code in Code} - {code for code, _ in TABLE} == {0}


def test_the_table_has_every_code_that_the_layers_table_has() -> None:
    assert RETURN_CODES.keys() - {code for code, _ in TABLE} == {0}


@pytest.mark.parametrize(("code", "row"), TABLE, ids=lambda given: str(getattr(given, "name", given)))
def test_a_return_code_of_zims_is_told_as_the_table_says(
    code: int, row: Row, zim: SimulatorClient, function: Function
) -> None:
    zim.fault("code", code=code)
    message = Code(code).name.lower().replace("_", " ") if code in Code else "simulated"
    assert_is_what_the_table_says(function.reject(), code, message)
    assert function.line()["outcome"] == row.name
    assert len(zim.requests()) == 1


def test_a_rejected_call_is_answered_with_zims_own_three_members(ringing: SimulatorClient, function: Function) -> None:
    response = function.reject()
    assert response.status == 200
    assert response.headers == {"Content-Type": "application/json"}
    assert response.members.keys() == {"Code", "Message", "RequestId"}
    assert (response.members["Code"], response.members["Message"]) == (0, "success")
    assert re.fullmatch("[0-9]{18}", response.members["RequestId"])
    assert ringing.call(CALL).invitees == {USER: "rejected"}


def unknown_call(zim: SimulatorClient) -> None:
    zim.register(USER)


def ended(zim: SimulatorClient) -> None:
    zim.ring(USER, call_id=CALL)
    zim.end(CALL)


def timed_out(zim: SimulatorClient) -> None:
    zim.ring(USER, call_id=CALL, timeout=0.001)


def not_invited(zim: SimulatorClient) -> None:
    zim.ring("somebody else", call_id=CALL)
    zim.register(USER)


def unregistered(zim: SimulatorClient) -> None:
    zim.ring("somebody else", call_id=CALL)


def over_the_rate_limit(zim: SimulatorClient) -> None:
    zim.ring(USER, call_id=CALL)
    zim.settings(calls_per_second=0)


def wrong_clock(zim: SimulatorClient) -> None:
    zim.settings(clock_offset=601)


@pytest.mark.parametrize(
    ("happened", "code"),
    [
        (unknown_call, 660900004),
        (ended, 660900005),
        (timed_out, 660900006),
        (not_invited, 660900008),
        (unregistered, 660500002),
        (over_the_rate_limit, 660300005),
        (wrong_clock, 100000004),
    ],
)
def test_what_happened_at_zim_is_told_as_the_table_says(
    happened: Callable[[SimulatorClient], None], code: int, zim: SimulatorClient, function: Function
) -> None:
    happened(zim)
    message = Code(code).name.lower().replace("_", " ")
    assert_is_what_the_table_says(function.reject(), code, message)
    assert [record.code for record in zim.requests()] == [code]


def test_rejecting_twice_is_harmless(ringing: SimulatorClient, function: Function) -> None:
    assert function.reject().status == 200
    second = function.reject()
    assert (second.status, second.members["Code"]) == (409, 660900005)
    assert ringing.call(CALL).invitees == {USER: "rejected"}
