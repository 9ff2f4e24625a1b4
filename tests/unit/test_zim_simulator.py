"""The simulator answers as ZIM's documentation says, misbehaves as told, and remembers what it was asked."""

import hashlib
import json
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests

from local.zim_simulator.calls import State
from local.zim_simulator.faults import KINDS
from local.zim_simulator.return_codes import Code
from local.zim_simulator.running import SimulatorClient, simulator
from local.zim_simulator.zim import APP_ID, SERVER_SECRET, Instant, Zim, decode

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 10


@pytest.fixture(scope="module")
def running() -> Iterator[SimulatorClient]:
    with simulator() as client:
        yield client


@pytest.fixture
def sim(running: SimulatorClient) -> SimulatorClient:
    running.reset()
    return running


def parameters(*, secret: str = SERVER_SECRET, **changes: Any) -> dict[str, str]:
    """Sign a request with what is changed in it, unless Signature is; None leaves a parameter out."""
    given = {
        "Action": "CallReject",
        "AppId": str(APP_ID),
        "SignatureNonce": secrets.token_hex(8),
        "Timestamp": str(int(time.time())),
        "SignatureVersion": "2.0",
        "FromUserId": "bob",
        "CallId": "call",
    }
    given |= {name: value for name, value in changes.items() if value is not None}
    text = given["AppId"] + given["SignatureNonce"] + secret + given["Timestamp"]
    given = {"Signature": hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()} | given
    return {name: value for name, value in given.items() if name not in changes or changes[name] is not None}


def get(sim: SimulatorClient, *, timeout: float = DEADLINE_SECONDS, **changes: Any) -> requests.Response:
    return requests.get(sim.url, params=parameters(**changes), timeout=timeout, allow_redirects=False)


def code(sim: SimulatorClient, **changes: Any) -> int:
    answered: int = get(sim, **changes).json()["Code"]
    return answered


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)


# What ZIM answers


def test_a_ringing_call_is_rejected_and_answered_with_the_three_members(sim: SimulatorClient) -> None:
    sim.ring("bob", call_id="call")
    response = get(sim, ExtendedData='{"reason": "busy, später"}')
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    answer = response.json()
    assert (answer["Code"], answer["Message"]) == (0, "success")
    assert re.fullmatch(r"[0-9]{18}", answer["RequestId"])
    assert sim.call("call").state == "rejected"
    assert sim.call("call").extended_data == {"bob": '{"reason": "busy, später"}'}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"Action": None}, 100000006),
        ({"Action": ""}, 100000006),
        ({"Action": "CallCancel"}, 100000007),
        ({"AppId": None}, 100000001),
        ({"AppId": "12x"}, 100000001),
        ({"AppId": str(2**32)}, 100000001),
        ({"AppId": "-1"}, 100000001),
        ({"AppId": "4294967295"}, 100000005),
        ({"SignatureNonce": None}, 100000008),
        ({"SignatureNonce": "0123456789abcde"}, 660000002),
        ({"SignatureNonce": "0123456789abcdeg"}, 660000002),
        ({"Timestamp": None}, 100000002),
        ({"Timestamp": ""}, 100000002),
        ({"Timestamp": "now"}, 100000003),
        ({"Timestamp": "1.5"}, 100000003),
        ({"Timestamp": str(2**63)}, 100000003),
        ({"Timestamp": "1615186943"}, 100000004),
        ({"SignatureVersion": None}, 100000013),
        ({"SignatureVersion": "1.0"}, 100000014),
        ({"Signature": None}, 100000009),
        ({"Signature": ""}, 100000009),
        ({"Signature": "43e5cfcca828314675f91b001390566a"}, 100000005),
        ({"FromUserId": None}, 660000002),
        ({"FromUserId": ""}, 660000002),
        ({"FromUserId": "b" * 33}, 660000012),
        ({"FromUserId": "ü" * 17}, 660000012),
        ({"FromUserId": "bob,"}, 660000002),
        ({"FromUserId": "böb"}, 660000002),
        ({"CallId": None}, 660000002),
        ({"CallId": ""}, 660000002),
        ({"CallId": "c" * 33}, 660000002),
        ({"ExtendedData": "x" * 2049}, 660000002),
        ({"ExtendedData": "ü" * 1025}, 660000002),
        ({"ExtendedData": "界" * 5000}, 660000002),
        ({"FromUserId": "nobody"}, 660500002),
        ({"CallId": "another"}, 660900004),
        ({"FromUserId": "caller"}, 660900008),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_code(
    sim: SimulatorClient, changes: dict[str, Any], expected: int
) -> None:
    sim.ring("bob", call_id="call")
    response = get(sim, **changes)
    assert (response.status_code, response.json()["Code"]) == (200, expected)
    assert [record.code for record in sim.requests()] == [expected]
    assert sim.call("call").state == "ringing"


@pytest.mark.parametrize(
    "changes",
    [
        {"FromUserId": "b" * 32},
        {"FromUserId": "!#$%&()+-:;<=.>?@[]^_{}|~ 09AZaz"},
        {"CallId": "c" * 32},
        {"CallId": "界" * 32},
        {"ExtendedData": "x" * 2048},
        {"ExtendedData": "ü" * 1024},
        {"SignatureNonce": "4FD24687296DD9F3"},
    ],
)
def test_what_just_keeps_a_rule_is_carried_out(sim: SimulatorClient, changes: dict[str, str]) -> None:
    sim.ring(changes.get("FromUserId", "bob"), call_id=changes.get("CallId", "call"))
    assert code(sim, **changes) == 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_only_get_offers_the_action(sim: SimulatorClient, method: str) -> None:
    response = requests.request(method, sim.url, params=parameters(), timeout=DEADLINE_SECONDS)
    assert (response.status_code, response.json()["Code"]) == (200, 100000007)


def test_the_vendors_example_of_a_signature_is_accepted() -> None:
    zim = Zim({12345: "9193cc662a4c0ec135ec71fb57194b38"})
    given = parameters(
        AppId="12345",
        SignatureNonce="4fd24687296dd9f3",
        Timestamp="1615186943",
        Signature="43e5cfcca828314675f91b001390566a",
    )
    assert zim.admit("GET", given, Instant(1615186943, 0)) is None


@pytest.mark.parametrize(
    ("clock", "expected"),
    [(1000600, None), (999400, None), (1000600.5, Code.SIGNATURE_EXPIRED), (999399.5, Code.SIGNATURE_EXPIRED)],
)
def test_a_timestamp_may_be_ten_minutes_off_and_no_more(clock: float, expected: Code | None) -> None:
    zim = Zim({APP_ID: SERVER_SECRET})
    assert zim.admit("GET", parameters(Timestamp="1000000"), Instant(clock, 0)) is expected


def test_a_server_whose_clock_is_wrong_finds_signatures_expired(sim: SimulatorClient) -> None:
    sim.settings(clock_offset=-700)
    assert code(sim) == 100000004
    assert sim.requests()[0].unix == pytest.approx(time.time(), abs=5)


def test_a_rotated_secret_makes_the_old_signatures_wrong(sim: SimulatorClient) -> None:
    sim.ring("bob", call_id="call")
    secret = sim.rotate()
    assert code(sim) == 100000005
    assert code(sim, secret=secret) == 0


def test_an_app_that_is_added_lets_the_first_one_work_on(sim: SimulatorClient) -> None:
    sim.ring("bob", "carol", call_id="call")
    secret = sim.rotate(app_id=7)
    assert code(sim, secret=secret, AppId="7") == 0
    assert code(sim, FromUserId="carol") == 0


# The query string


@pytest.mark.parametrize("broken", ["%FF", "%C3", "%ED%A0%80", "%zz", "%4"])
def test_a_query_that_is_not_percent_encoded_utf8_is_refused(sim: SimulatorClient, broken: str) -> None:
    sim.ring("bob", call_id="call")
    signed = "&".join(f"{name}={value}" for name, value in parameters().items())
    assert b"660000002" in raw_get(sim, f"{signed}&ExtendedData={broken}")
    (record,) = sim.requests()
    assert (record.query, record.parameters) == (f"{signed}&ExtendedData={broken}", {})
    assert sim.call("call").state == "ringing"


def raw_get(sim: SimulatorClient, query: str) -> bytes:
    host, port = sim.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=DEADLINE_SECONDS) as connection:
        connection.sendall(f"GET /?{query} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_plus_means_a_space_and_the_raw_query_tells_it_from_percent_20(sim: SimulatorClient) -> None:
    raw_get(sim, "ExtendedData=a+b%20c%2Bd")
    (record,) = sim.requests()
    assert record.query == "ExtendedData=a+b%20c%2Bd"
    assert record.parameters == {"ExtendedData": "a b c+d"}


def test_the_first_of_two_parameters_of_one_name_counts() -> None:
    assert decode("a=1&b=&a=2") == {"a": "1", "b": ""}


# Calls


def test_a_call_with_one_invitee_ends_when_he_rejects(sim: SimulatorClient) -> None:
    sim.ring("bob", call_id="call")
    assert [code(sim), code(sim)] == [0, 660900005]


def test_a_call_with_several_invitees_rings_on_for_the_others(sim: SimulatorClient) -> None:
    sim.ring("bob", "carol", call_id="call")
    assert code(sim) == 0
    assert sim.call("call").state == "ringing"
    assert sim.call("call").invitees == {"bob": "rejected", "carol": "ringing"}
    assert code(sim) == 660900008
    assert code(sim, FromUserId="carol") == 0
    assert sim.call("call").state == "rejected"
    assert code(sim) == 660900005


def test_a_call_that_was_ended_cannot_be_rejected(sim: SimulatorClient) -> None:
    sim.ring("bob", "carol", call_id="call")
    assert code(sim, FromUserId="carol") == 0
    sim.end("call")
    assert code(sim) == 660900005
    assert (sim.call("call").state, sim.call("call").seconds_left) == ("ended", 0)
    assert sim.call("call").invitees == {"bob": "ended", "carol": "rejected"}


@pytest.mark.parametrize(("timeout", "answered"), [(90, 89.9), (600, 599.9)])
def test_a_call_times_out_when_it_has_rung_for_its_time(timeout: float, answered: float) -> None:
    for elapsed, expected, state in (
        (answered, Code.SUCCESS, State.REJECTED),
        (timeout, Code.INVITATION_TIMED_OUT, State.TIMED_OUT),
    ):
        zim = Zim({APP_ID: SERVER_SECRET})
        zim.ring("alice", ["bob"], 1000, call_id="call", timeout=timeout)
        assert zim.reject({"FromUserId": "bob", "CallId": "call"}, 1000 + elapsed) is expected
        assert [call.state for call in zim.calls(1000 + elapsed)] == [state]


def test_a_call_that_only_some_have_rejected_times_out_for_all() -> None:
    zim = Zim({APP_ID: SERVER_SECRET})
    call = zim.ring("alice", ["bob", "carol"], 1000, call_id="call")
    assert zim.reject({"FromUserId": "bob", "CallId": "call"}, 1001) is Code.SUCCESS
    assert zim.reject({"FromUserId": "bob", "CallId": "call"}, 1090) is Code.INVITATION_TIMED_OUT
    assert call.state is State.TIMED_OUT
    assert call.invitees == {"bob": State.REJECTED, "carol": State.TIMED_OUT}


def test_a_call_rings_for_ninety_seconds_unless_told_otherwise(sim: SimulatorClient) -> None:
    assert sim.call(sim.ring("bob")).timeout == 90
    assert 80 < sim.calls()[0].seconds_left <= 90


def test_a_call_gets_an_id_of_its_own_when_none_is_given(sim: SimulatorClient) -> None:
    first, second = sim.ring("bob"), sim.ring("bob")
    assert first != second
    assert code(sim, CallId=second) == 0
    assert [call.state for call in sim.calls()] == ["ringing", "rejected"]


def test_users_are_registered_by_hand_or_by_taking_part_in_a_call(sim: SimulatorClient) -> None:
    sim.register("zoe")
    sim.ring("bob", caller="alice")
    assert sim.users() == ["alice", "bob", "zoe"]


def test_a_rejection_without_extended_data_leaves_none(sim: SimulatorClient) -> None:
    sim.ring("bob", call_id="call")
    assert code(sim) == 0
    assert sim.call("call").extended_data == {}


# The rate limit


def admitted(zim: Zim, at: float, **changes: Any) -> bool:
    return zim.admit("GET", parameters(Timestamp="1000000", **changes), Instant(1000000, at)) is None


def test_twenty_calls_are_let_through_in_any_sliding_second() -> None:
    zim = Zim({APP_ID: SERVER_SECRET})
    assert all(admitted(zim, 10.5 + step / 100) for step in range(20))
    assert not admitted(zim, 11.49)
    assert admitted(zim, 11.5)
    assert not admitted(zim, 11.505)
    assert admitted(zim, 11.51)


def test_a_call_over_the_limit_does_not_count_itself() -> None:
    zim = Zim({APP_ID: SERVER_SECRET})
    assert sum(admitted(zim, 10.0) for _ in range(50)) == 20
    assert sum(admitted(zim, 11.0) for _ in range(50)) == 20


def test_a_call_that_is_not_signed_correctly_does_not_count() -> None:
    zim = Zim({APP_ID: SERVER_SECRET})
    assert not any(admitted(zim, 10.0, Signature="wrong") for _ in range(20))
    assert admitted(zim, 10.0)


def test_each_app_has_a_limit_of_its_own() -> None:
    zim = Zim({APP_ID: SERVER_SECRET, 7: SERVER_SECRET})
    assert sum(admitted(zim, 10.0) for _ in range(30)) == 20
    assert sum(admitted(zim, 10.0, AppId="7") for _ in range(30)) == 20


def test_a_call_over_the_limit_is_answered_with_its_code_and_not_carried_out(sim: SimulatorClient) -> None:
    sim.ring("bob", call_id="call")
    sim.settings(calls_per_second=0)
    assert code(sim) == 660300005
    assert sim.call("call").state == "ringing"


# What is recorded


def test_a_request_is_recorded_as_it_arrived(sim: SimulatorClient) -> None:
    sim.ring("bob", call_id="call")
    given = parameters()
    before = (time.time(), time.monotonic())
    requests.get(sim.url, params=given, headers={"User-Agent": "zim-test/1"}, timeout=DEADLINE_SECONDS)
    after = (time.time(), time.monotonic())
    (record,) = sim.requests()
    assert before[0] <= record.unix <= after[0]
    assert before[1] <= record.monotonic <= after[1]
    assert record.parameters == given
    assert record.query == "&".join(f"{name}={value}" for name, value in given.items())
    assert (record.method, record.user_agent, record.code, record.fault) == ("GET", "zim-test/1", 0, None)


def test_requests_over_one_connection_have_one_number_and_another_connection_another(sim: SimulatorClient) -> None:
    with requests.Session() as session:
        for _ in range(2):
            session.get(sim.url, timeout=DEADLINE_SECONDS)
    get(sim)
    first, second, third = (record.connection for record in sim.requests())
    assert first == second != third


def test_a_nonce_used_twice_is_noted_and_not_refused(sim: SimulatorClient) -> None:
    sim.ring("bob", "carol", call_id="call")
    assert code(sim, SignatureNonce="4fd24687296dd9f3") == 0
    assert code(sim, SignatureNonce="4fd24687296dd9f3", FromUserId="carol") == 0
    assert [record.nonce_repeated for record in sim.requests()] == [False, True]
    sim.clear_requests()
    for nonce in ("4fd24687296dd9f3", "", ""):
        code(sim, SignatureNonce=nonce)
    assert [record.nonce_repeated for record in sim.requests()] == [False, False, False]


def test_control_routes_are_not_recorded_and_requests_can_be_cleared(sim: SimulatorClient) -> None:
    get(sim)
    sim.users()
    assert len(sim.requests()) == 1
    sim.clear_requests()
    assert sim.requests() == []


# Faults and the network


def test_a_slow_answer_comes_late_but_the_call_is_rejected_at_once(sim: SimulatorClient) -> None:
    sim.ring("bob", call_id="call")
    sim.fault("slow", seconds=60)
    with pytest.raises(requests.ReadTimeout):
        get(sim, timeout=0.2)
    assert sim.call("call").state == "rejected"
    sim.fault("slow", seconds=0.2)
    assert get(sim).elapsed.total_seconds() >= 0.2


def test_a_hanging_request_is_answered_when_the_faults_are_cleared(sim: SimulatorClient) -> None:
    sim.ring("bob", call_id="call")
    sim.fault("hang")
    answers: list[int] = []
    thread = Thread(target=lambda: answers.append(code(sim)))
    thread.start()
    until(sim.requests)
    assert (sim.requests()[0].fault, sim.requests()[0].code, sim.call("call").state) == ("hang", None, "ringing")
    sim.clear_faults()
    thread.join(DEADLINE_SECONDS)
    assert answers == [0]
    assert sim.requests()[0].code == 0


def test_a_hanging_request_whose_client_went_is_never_carried_out(sim: SimulatorClient) -> None:
    sim.ring("bob", call_id="call")
    sim.fault("hang")
    with pytest.raises(requests.ReadTimeout):
        get(sim, timeout=0.2)
    sim.clear_faults()
    assert code(sim, FromUserId="caller") == 660900008
    assert (sim.requests()[0].code, sim.call("call").state) == (None, "ringing")


@pytest.mark.parametrize(("carried_out", "state"), [(False, "ringing"), (True, "rejected")])
def test_a_connection_is_cut_before_the_answer(sim: SimulatorClient, carried_out: bool, state: str) -> None:  # noqa: FBT001
    sim.ring("bob", call_id="call")
    sim.fault("cut_before", carried_out=carried_out)
    with pytest.raises(requests.ConnectionError, match=r"without response|reset"):
        get(sim)
    assert sim.call("call").state == state


def test_a_connection_is_cut_in_the_middle_of_the_answer(sim: SimulatorClient) -> None:
    sim.ring("bob", call_id="call")
    sim.fault("cut_middle")
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        get(sim)
    assert sim.call("call").state == "rejected"


def test_an_answer_drips_byte_by_byte(sim: SimulatorClient) -> None:
    sim.fault("drip", seconds=0.002)
    with requests.get(sim.url, timeout=DEADLINE_SECONDS, stream=True) as response:
        started = time.monotonic()
        assert response.json()["Code"] == 100000006
        assert time.monotonic() - started >= 0.002 * (len(response.content) - 1)


@pytest.mark.parametrize(("kind", "status"), [("html", 200), ("http_500", 500)])
def test_a_page_comes_in_place_of_json(sim: SimulatorClient, kind: Any, status: int) -> None:
    sim.fault(kind)
    response = get(sim)
    assert (response.status_code, response.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert response.text.startswith("<!DOCTYPE html>")


def test_a_redirect_points_where_it_was_told(sim: SimulatorClient) -> None:
    sim.fault("redirect", location="https://elsewhere.example/")
    response = get(sim)
    assert (response.status_code, response.headers["Location"]) == (302, "https://elsewhere.example/")


def test_a_huge_answer_has_the_size_asked_for_and_does_not_say_so(sim: SimulatorClient) -> None:
    sim.fault("huge", size=3_000_000)
    response = get(sim)
    assert "Content-Length" not in response.headers
    assert len(response.content) == 3_000_000
    assert response.json()["Code"] == 0


def test_a_client_may_leave_in_the_middle_of_a_huge_answer(sim: SimulatorClient) -> None:
    sim.fault("huge", size=10**9)
    with requests.get(sim.url, timeout=DEADLINE_SECONDS, stream=True) as response:
        assert next(response.iter_content(1000))
    assert code(sim, Action="") == 100000006


def test_an_answer_may_lack_its_code_or_not_be_an_object(sim: SimulatorClient) -> None:
    sim.fault("no_code")
    sim.fault("not_object")
    assert get(sim).json().keys() == {"Message", "RequestId"}
    assert get(sim).json() == [0, "success"]


def test_any_return_code_can_be_answered(sim: SimulatorClient) -> None:
    sim.ring("bob", call_id="call")
    sim.fault("code", code=105001)
    assert code(sim) == 105001
    assert (sim.requests()[0].code, sim.requests()[0].fault) == (105001, "code")
    assert sim.call("call").state == "ringing"


def test_faults_come_in_their_order_as_many_times_as_told(sim: SimulatorClient) -> None:
    sim.fault("code", code=1, times=2)
    sim.fault("code", code=7, times=None)
    assert [code(sim) for _ in range(4)] == [1, 1, 7, 7]
    assert [(fault.code, fault.times) for fault in sim.faults()] == [(7, None)]
    sim.clear_faults()
    assert code(sim) == 660500002


def test_a_fault_does_not_keep_a_request_from_counting_towards_the_limit(sim: SimulatorClient) -> None:
    sim.settings(calls_per_second=1)
    sim.fault("html")
    get(sim)
    assert code(sim) == 660300005


@pytest.mark.parametrize("kind", KINDS)
def test_no_fault_makes_a_hung_or_cut_request_fall_on_the_next_one(sim: SimulatorClient, kind: Any) -> None:
    sim.ring("bob", "carol", call_id="call")
    sim.fault(kind, seconds=0.001, size=1000)
    with suppress(requests.RequestException):
        get(sim, timeout=0.2)
    assert code(sim, FromUserId="carol") == 0
    assert [record.fault for record in sim.requests()] == [kind, None]


def test_half_of_the_latency_lies_before_the_arrival(sim: SimulatorClient) -> None:
    sim.settings(latency=0.2)
    sent = time.monotonic()
    get(sim)
    answered = time.monotonic()
    (record,) = sim.requests()
    assert record.monotonic - sent >= 0.1
    assert answered - record.monotonic >= 0.1


# Control


@pytest.mark.parametrize(
    ("method", "path", "body", "member"),
    [
        ("POST", "users", {}, "UserIds"),
        ("POST", "users", {"UserIds": []}, "UserIds"),
        ("POST", "users", {"UserIds": ["b,b"]}, "UserIds"),
        ("POST", "users", {"UserIds": [7]}, "UserIds"),
        ("POST", "calls", {"Invitees": ["bob"]}, "Caller"),
        ("POST", "calls", {"Caller": "alice", "Invitees": "bob"}, "Invitees"),
        ("POST", "calls", {"Caller": "alice", "Invitees": ["bob"], "Timeout": 601}, "Timeout"),
        ("POST", "calls", {"Caller": "alice", "Invitees": ["bob"], "Timeout": 0}, "Timeout"),
        ("POST", "calls", {"Caller": "alice", "Invitees": ["bob"], "CallId": "c" * 33}, "CallId"),
        ("POST", "calls", {"Caller": "alice", "Invitees": ["bob"], "CallId": "taken"}, "CallId"),
        ("POST", "calls", {"Caller": "alice", "Invitees": ["bob"], "Colour": "red"}, "Colour"),
        ("POST", "faults", {}, "kind"),
        ("POST", "faults", {"kind": "fire"}, "kind"),
        ("POST", "faults", {"kind": ["slow"]}, "kind"),
        ("POST", "faults", {"kind": "slow", "times": 0}, "times"),
        ("POST", "faults", {"kind": "slow", "seconds": "2"}, "seconds"),
        ("POST", "faults", {"kind": "redirect", "location": "/\r\nSet-Cookie: a=b"}, "location"),
        ("PATCH", "settings", {"latency": -1}, "latency"),
        ("PATCH", "settings", {"calls_per_second": True}, "calls_per_second"),
        ("PATCH", "settings", {"clock_offset": float("nan")}, "clock_offset"),
        ("PUT", "app", {"AppId": 1}, "ServerSecret"),
        ("PUT", "app", {"AppId": "1", "ServerSecret": SERVER_SECRET}, "AppId"),
        ("PUT", "app", [], None),
    ],
)
def test_bad_control_input_is_refused_and_its_member_named(
    sim: SimulatorClient, method: str, path: str, body: object, member: str | None
) -> None:
    sim.ring("bob", call_id="taken")
    response = requests.request(method, f"{sim.url}/simulator/{path}", data=json.dumps(body), timeout=DEADLINE_SECONDS)
    assert (response.status_code, response.json()["member"]) == (400, member)
    assert len(sim.calls()) == 1


def test_a_call_that_does_not_exist_is_not_found(sim: SimulatorClient) -> None:
    with pytest.raises(ValueError, match="no call"):
        sim.call("none")


def test_a_reset_goes_back_to_the_start(sim: SimulatorClient) -> None:
    before = sim.settings()
    sim.ring("bob")
    sim.fault("html", times=None)
    sim.settings(latency=0.01, calls_per_second=3)
    sim.rotate()
    get(sim)
    sim.reset()
    assert (sim.users(), sim.calls(), sim.faults(), sim.requests()) == ([], [], [], [])
    assert sim.settings() == before
    assert code(sim) == 660500002


def test_a_client_made_from_the_url_directs_the_same_simulator(sim: SimulatorClient) -> None:
    call_id = SimulatorClient(f"{sim.url}/").ring("bob", call_id="a/b c%")
    assert sim.call(call_id).state == "ringing"


def test_health_is_told(sim: SimulatorClient) -> None:
    response = requests.get(f"{sim.url}/simulator/health", timeout=DEADLINE_SECONDS)
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


# HTTPS and the command line


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_https_is_trusted_by_who_trusts_the_authority_and_by_no_one_else(sim: SimulatorClient, host: str) -> None:
    assert sim.https_url
    assert sim.ca_file
    url = sim.https_url.replace("127.0.0.1", host)
    sim.ring("bob", call_id="call")
    response = requests.get(url, params=parameters(), verify=str(sim.ca_file), timeout=DEADLINE_SECONDS)
    assert response.json()["Code"] == 0
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(url, timeout=DEADLINE_SECONDS)


def test_faults_that_cut_work_over_https_too(sim: SimulatorClient) -> None:
    assert sim.https_url
    for kind, error in (("cut_before", "without response|reset"), ("cut_middle", "IncompleteRead")):
        sim.fault(kind)  # type: ignore[arg-type]
        with pytest.raises(requests.RequestException, match=error):
            requests.get(sim.https_url, verify=str(sim.ca_file), timeout=DEADLINE_SECONDS)


@contextmanager
def command(*options: str) -> Iterator["subprocess.Popen[str]"]:
    arguments = [sys.executable, "-m", "local.zim_simulator", *options]
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_says_when_it_is_ready_and_ends_cleanly_on_a_signal(number: signal.Signals, tmp_path: Path) -> None:
    options = ("--https-port", "0", "--ca-file", str(tmp_path / "ca.pem"), "--app-id", "7", "--server-secret", "s" * 32)
    with command("--port", "0", *options) as process:
        assert process.stdout
        ready = process.stdout.readline()
        found = re.search(r"(http://\S+) and (https://\S+) for AppId 7\.$", ready)
        assert found, ready
        given = parameters(AppId="7", secret="s" * 32)
        for url in found.groups():
            response = requests.get(url, params=given, verify=str(tmp_path / "ca.pem"), timeout=DEADLINE_SECONDS)
            assert response.json()["Code"] == 660500002
        sim = SimulatorClient(found[1])
        sim.fault("huge", size=10**12)
        sim.fault("hang")
        with requests.get(found[1], timeout=DEADLINE_SECONDS, stream=True) as response:
            next(response.iter_content(1000))
        with pytest.raises(requests.ReadTimeout):
            requests.get(found[1], timeout=0.1)
        process.send_signal(number)
        assert process.communicate(timeout=DEADLINE_SECONDS) == ("", "")
        assert process.returncode == 0


def test_the_command_says_that_a_port_is_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with command("--port", port) as process:
            said = process.communicate(timeout=DEADLINE_SECONDS)
            assert said == ("", f"Cannot listen on port {port} of 127.0.0.1: Address already in use.\n")
            assert process.returncode == 1
