"""The simulator: ZIM's documented behaviour, faults on demand, and the record of requests."""

import re
import time
from contextlib import suppress
from threading import Thread
from typing import Any

import pytest
import requests

from local.access import HEADER
from local.processes import until
from local.zim_simulator.calls import Mode, State
from local.zim_simulator.faults import KINDS, Kind
from local.zim_simulator.return_codes import Code
from local.zim_simulator.zim import APP_ID, SERVER_SECRET, Instant, SecondRejection, Zim, decode
from tests.local.zim_client import TIMEOUT_SECONDS, Simulator, parameters

# Requests and return codes


def test_a_ringing_call_is_rejected(sim: Simulator) -> None:
    sim.ring("bob", call_id="call")
    response = sim.call_reject(ExtendedData='{"reason": "busy, später"}')
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    assert (response.json()["Code"], response.json()["Message"]) == (0, "success")
    assert re.fullmatch(r"[0-9]{18}", response.json()["RequestId"])
    assert sim.call("call").state == "rejected"
    assert sim.call("call").extended_data == {"bob": '{"reason": "busy, später"}'}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"Action": None}, 100000006),
        ({"Action": "CallCancel"}, 100000007),
        ({"AppId": str(2**32)}, 100000001),
        ({"SignatureNonce": None}, 100000008),
        ({"SignatureNonce": "0123456789abcdeg"}, 660000002),
        ({"Timestamp": ""}, 100000002),
        ({"Timestamp": "1.5"}, 100000003),
        ({"Timestamp": "1615186943"}, 100000004),
        ({"SignatureVersion": None}, 100000013),
        ({"SignatureVersion": "1.0"}, 100000014),
        ({"Signature": ""}, 100000009),
        ({"Signature": "43e5cfcca828314675f91b001390566a"}, 100000005),
        ({"FromUserId": "ü" * 17}, 660000012),
        ({"CallId": "c" * 33}, 660000002),
        ({"ExtendedData": "ü" * 1025}, 660000002),
        ({"FromUserId": "nobody"}, 660500002),
        ({"CallId": "another"}, 660900004),
        ({"FromUserId": "caller"}, 660900008),
    ],
)
def test_an_invalid_request_gets_its_return_code(sim: Simulator, changes: dict[str, Any], expected: int) -> None:
    sim.ring("bob", call_id="call")
    assert sim.code(**changes) == expected
    assert [record.code for record in sim.requests()] == [expected]
    assert sim.call("call").state == "ringing"


def test_with_a_clock_offset_signatures_are_expired(sim: Simulator) -> None:
    sim.settings(clock_offset=-700)
    assert sim.code() == 100000004


def test_after_a_rotation_only_the_new_secret_is_valid(sim: Simulator) -> None:
    sim.ring("bob", call_id="call")
    secret = sim.rotate()
    assert sim.code() == 100000005
    assert sim.code(secret=secret) == 0


@pytest.mark.parametrize(
    ("query", "decoded"),
    [
        ("a=b+c%20d%2Be", {"a": "b c d+e"}),
        ("a=1&b=&a=2", {"a": "1", "b": ""}),
        ("a=%FF", None),
        ("a=%zz", None),
    ],
)
def test_a_query_string_is_decoded_as_utf8(query: str, decoded: dict[str, str] | None) -> None:
    assert decode(query) == decoded


# Calls


def test_a_call_ends_when_all_invited_users_have_rejected_it(sim: Simulator) -> None:
    sim.ring("bob", "carol", call_id="call")
    assert sim.code() == 0
    assert sim.call("call").extended_data == {}
    assert sim.call("call").state == "ringing"
    assert sim.call("call").invitees == {"bob": "rejected", "carol": "ringing"}
    assert sim.code() == 660900008
    assert sim.code(FromUserId="carol") == 0
    assert sim.call("call").state == "rejected"
    assert sim.code() == 660900005


@pytest.mark.parametrize(
    ("now", "code", "state"),
    [(1089.9, Code.SUCCESS, State.REJECTED), (1090, Code.INVITATION_TIMED_OUT, State.TIMED_OUT)],
)
def test_a_call_times_out_after_90_seconds(now: float, code: Code, state: State) -> None:
    zim = Zim({APP_ID: SERVER_SECRET})
    zim.ring("alice", ["bob"], 1000, call_id="call")
    assert zim.reject({"FromUserId": "bob", "CallId": "call"}, now) is code
    assert [call.state for call in zim.calls(now)] == [state]


def test_an_advanced_call_continues_until_it_is_ended(sim: Simulator) -> None:
    sim.ring("bob", call_id="call", mode=Mode.ADVANCED)
    assert sim.code() == 0
    assert (sim.call("call").state, sim.call("call").invitees) == ("in progress", {"bob": "rejected"})
    sim.invite("call", "carol")
    assert (sim.call("call").state, sim.call("call").invitees["carol"]) == ("ringing", "ringing")
    assert sim.code(FromUserId="carol") == 0
    sim.end("call")
    assert sim.call("call").state == "rejected"
    assert sim.code() == 660900005


@pytest.mark.parametrize(("answer", "code"), [(SecondRejection.NOT_INVITED, 660900008), (SecondRejection.SUCCESS, 0)])
def test_a_second_rejection_in_a_call_that_continues_has_the_response_of_the_settings(
    sim: Simulator, answer: SecondRejection, code: int
) -> None:
    sim.settings(second_rejection=answer)
    sim.ring("bob", call_id="call", mode=Mode.ADVANCED)
    assert [sim.code(), sim.code()] == [0, code]
    sim.end("call")
    assert sim.code() == 660900005


# Rate limit


def admitted(zim: Zim, at: float, **changes: Any) -> bool:
    return zim.admit("GET", parameters(Timestamp="1000000", **changes), Instant(1000000, at)) is None


def test_twenty_requests_are_admitted_in_any_second() -> None:
    zim = Zim({APP_ID: SERVER_SECRET})
    assert all(admitted(zim, 10.5 + step / 100) for step in range(20))
    assert not admitted(zim, 11.49)
    assert admitted(zim, 11.5)
    assert not admitted(zim, 11.505)
    assert admitted(zim, 11.51)


def test_only_admitted_requests_count_towards_the_limit_of_their_app() -> None:
    zim = Zim({APP_ID: SERVER_SECRET, 7: SERVER_SECRET})
    assert not any(admitted(zim, 10.0, Signature="wrong") for _ in range(20))
    assert sum(admitted(zim, 10.0) for _ in range(50)) == 20
    assert sum(admitted(zim, 10.0, AppId="7") for _ in range(30)) == 20
    assert sum(admitted(zim, 11.0) for _ in range(50)) == 20


def test_a_request_over_the_limit_is_not_processed(sim: Simulator) -> None:
    sim.ring("bob", call_id="call")
    sim.settings(calls_per_second=1)
    sim.fault("html")
    sim.call_reject()
    assert sim.code() == 660300005
    assert sim.call("call").state == "ringing"


# Records


def test_a_request_is_recorded_as_it_arrived(sim: Simulator) -> None:
    sim.ring("bob", call_id="call")
    sent, before = parameters(), time.monotonic()
    with requests.Session() as session:
        session.get(sim.url, params=sent, timeout=TIMEOUT_SECONDS)
        after = time.monotonic()
        session.post(sim.url, timeout=TIMEOUT_SECONDS)
    sim.code()
    first, second, third = sim.requests()
    assert before <= first.monotonic <= after
    assert first.parameters == sent
    assert first.query == "&".join(f"{name}={value}" for name, value in sent.items())
    assert (first.method, first.code, first.fault, second.method) == ("GET", 0, None, "POST")
    assert first.connection == second.connection != third.connection
    sim.clear_requests()
    assert sim.requests() == []


# Faults


def test_a_hanging_request_is_processed_when_the_faults_are_cleared(sim: Simulator) -> None:
    sim.ring("bob", call_id="call")
    sim.fault("hang")
    codes: list[int] = []
    thread = Thread(target=lambda: codes.append(sim.code()))
    thread.start()
    until(lambda: sim.requests() != [], TIMEOUT_SECONDS, "The request did not arrive")
    assert (sim.requests()[0].fault, sim.requests()[0].code, sim.call("call").state) == ("hang", None, "ringing")
    sim.clear_faults()
    thread.join(TIMEOUT_SECONDS)
    assert codes == [0]
    assert sim.requests()[0].code == 0


def test_faults_apply_in_order_as_often_as_set(sim: Simulator) -> None:
    sim.ring("bob", call_id="call")
    sim.fault("code", code=1, times=2)
    sim.fault("code", code=105001, times=None)
    assert [sim.code() for _ in range(4)] == [1, 1, 105001, 105001]
    assert [(fault.code, fault.times) for fault in sim.faults()] == [(105001, None)]
    assert (sim.requests()[0].code, sim.requests()[0].fault) == (1, "code")
    assert sim.call("call").state == "ringing"
    sim.clear_faults()
    assert sim.code() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_does_not_affect_the_next_request(sim: Simulator, kind: Kind) -> None:
    sim.ring("bob", "carol", call_id="call")
    sim.fault(kind, seconds=0.001, size=1000)
    with suppress(requests.RequestException):
        sim.call_reject(timeout=0.2)
    assert sim.code(FromUserId="carol") == 0
    assert [record.fault for record in sim.requests()] == [kind, None]


def test_half_of_the_latency_is_before_the_arrival(sim: Simulator) -> None:
    sim.settings(latency=0.2)
    sent = time.monotonic()
    sim.call_reject()
    received = time.monotonic()
    (record,) = sim.requests()
    assert record.monotonic - sent >= 0.1
    assert received - record.monotonic >= 0.1


# Control routes


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("users", "{", "The body must be JSON."),
        ("users", '{"UserIds": ["$,"]}', "UserIds[0] must match pattern"),
        ("calls", '{"Caller": "a", "Invitees": ["b"], "CallId": "a/b c%"}', "The call a/b c% already exists."),
    ],
)
def test_an_invalid_control_request_gets_an_error(sim: Simulator, path: str, body: str, error: str) -> None:
    assert sim.call(sim.ring("bob", call_id="a/b c%")).state == "ringing"
    response = requests.post(f"{sim.url}/simulator/{path}", data=body, headers={HEADER: "1"}, timeout=TIMEOUT_SECONDS)
    assert response.status_code == 400
    assert response.json()["error"].startswith(error)


def test_a_reset_restores_the_initial_state(sim: Simulator) -> None:
    before = sim.settings()
    sim.ring("bob")
    sim.fault("html", times=None)
    sim.settings(latency=0.01, calls_per_second=3)
    sim.rotate()
    sim.call_reject()
    sim.reset()
    assert (sim.calls(), sim.faults(), sim.requests()) == ([], [], [])
    assert sim.settings() == before
    assert sim.code() == 660500002


# HTTPS and the command line
