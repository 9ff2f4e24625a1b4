"""The simulator: ZIM's documented behaviour, faults on demand, and the record of requests."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any

import pytest
import requests

from local.access import HEADER
from local.zim_simulator.calls import Mode, State
from local.zim_simulator.faults import KINDS, Kind
from local.zim_simulator.return_codes import Code
from local.zim_simulator.running import SimulatorClient
from local.zim_simulator.zim import APP_ID, SERVER_SECRET, Instant, SecondRejection, Zim, decode
from tests.local.zim_client import TIMEOUT_SECONDS, Simulator, parameters
from tests.support.paths import ROOT


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


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
        ({"AppId": "4294967295"}, 100000005),
        ({"SignatureNonce": None}, 100000008),
        ({"SignatureNonce": "0123456789abcdeg"}, 660000002),
        ({"Timestamp": ""}, 100000002),
        ({"Timestamp": "1.5"}, 100000003),
        ({"Timestamp": "1615186943"}, 100000004),
        ({"SignatureVersion": None}, 100000013),
        ({"SignatureVersion": "1.0"}, 100000014),
        ({"Signature": ""}, 100000009),
        ({"Signature": "43e5cfcca828314675f91b001390566a"}, 100000005),
        ({"FromUserId": ""}, 660000002),
        ({"FromUserId": "ü" * 17}, 660000012),
        ({"FromUserId": "bob,"}, 660000002),
        ({"CallId": None}, 660000002),
        ({"CallId": "c" * 33}, 660000002),
        ({"ExtendedData": "ü" * 1025}, 660000002),
        ({"ExtendedData": "界" * 5000}, 660000002),
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


@pytest.mark.parametrize(
    "changes",
    [
        {"FromUserId": "!#$%&()+-:;<=.>?@[]^_{}|~ 09AZaz"},
        {"CallId": "界" * 32},
        {"ExtendedData": "ü" * 1024},
        {"SignatureNonce": "4FD24687296DD9F3"},
    ],
)
def test_a_request_at_a_limit_is_valid(sim: Simulator, changes: dict[str, str]) -> None:
    sim.ring(changes.get("FromUserId", "bob"), call_id=changes.get("CallId", "call"))
    assert sim.code(**changes) == 0


def test_zims_example_of_a_signature_is_valid() -> None:
    zim = Zim({12345: "9193cc662a4c0ec135ec71fb57194b38"})
    example = {"AppId": "12345", "SignatureNonce": "4fd24687296dd9f3", "Timestamp": "1615186943"}
    signed = parameters(**example, Signature="43e5cfcca828314675f91b001390566a")
    assert zim.admit("GET", signed, Instant(1615186943, 0)) is None


@pytest.mark.parametrize(
    ("clock", "expected"),
    [(1000600, None), (999400, None), (1000600.5, Code.SIGNATURE_EXPIRED), (999399.5, Code.SIGNATURE_EXPIRED)],
)
def test_a_timestamp_may_be_ten_minutes_off(clock: float, expected: Code | None) -> None:
    zim = Zim({APP_ID: SERVER_SECRET})
    assert zim.admit("GET", parameters(Timestamp="1000000"), Instant(clock, 0)) is expected


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
        ("a=%ED%A0%80", None),
        ("a=%zz", None),
        ("a=%4", None),
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


def test_a_call_that_the_caller_ended_cannot_be_rejected(sim: Simulator) -> None:
    sim.ring("bob", "carol", call_id="call")
    assert sim.code(FromUserId="carol") == 0
    sim.end("call")
    assert sim.code() == 660900005
    assert sim.call("call").state == "ended"
    assert sim.call("call").invitees == {"bob": "ended", "carol": "rejected"}


@pytest.mark.parametrize("timeout", [90, 600])
def test_a_call_times_out(timeout: float) -> None:
    for elapsed, expected, state in (
        (timeout - 0.1, Code.SUCCESS, State.REJECTED),
        (timeout, Code.INVITATION_TIMED_OUT, State.TIMED_OUT),
    ):
        zim = Zim({APP_ID: SERVER_SECRET})
        zim.ring("alice", ["bob"], 1000, call_id="call", timeout=timeout)
        assert zim.reject({"FromUserId": "bob", "CallId": "call"}, 1000 + elapsed) is expected
        assert [call.state for call in zim.calls(1000 + elapsed)] == [state]


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
@pytest.mark.parametrize(("mode", "invitees"), [(Mode.ADVANCED, ["bob"]), (Mode.NORMAL, ["bob", "carol"])])
def test_a_second_rejection_in_a_call_that_continues_has_the_response_of_the_settings(
    sim: Simulator, mode: Mode, invitees: list[str], answer: SecondRejection, code: int
) -> None:
    sim.settings(second_rejection=answer)
    sim.ring(*invitees, call_id="call", mode=mode)
    assert [sim.code(), sim.code()] == [0, code]
    sim.end("call")
    assert sim.code() == 660900005


@pytest.mark.parametrize("answer", SecondRejection)
def test_a_second_rejection_rejects_a_second_invitation_under_the_same_call_id(
    sim: Simulator, answer: SecondRejection
) -> None:
    sim.settings(second_rejection=answer)
    sim.ring("bob", call_id="call", mode=Mode.ADVANCED)
    assert sim.code(ExtendedData="first") == 0
    sim.invite("call", "bob")
    assert sim.call("call").invitees == {"bob": "ringing"}
    assert sim.code(ExtendedData="second") == 0
    assert sim.call("call").invitees == {"bob": "rejected"}
    assert sim.call("call").extended_data == {"bob": "second"}


def test_an_invitation_to_an_advanced_call_times_out_on_its_own() -> None:
    zim = Zim({APP_ID: SERVER_SECRET})
    call = zim.ring("alice", ["bob"], 1000, call_id="call", timeout=10, mode=Mode.ADVANCED)
    zim.invite(call, ["carol"], 1005, timeout=10)
    assert zim.reject({"FromUserId": "bob", "CallId": "call"}, 1012) is Code.INVITATION_TIMED_OUT
    assert zim.reject({"FromUserId": "carol", "CallId": "call"}, 1012) is Code.SUCCESS
    zim.invite(call, ["bob"], 1013, timeout=10)
    assert zim.reject({"FromUserId": "bob", "CallId": "call"}, 1014) is Code.SUCCESS


def test_users_can_be_invited_only_to_an_advanced_call_that_has_not_ended(sim: Simulator) -> None:
    sim.ring("bob", call_id="normal")
    sim.ring("bob", call_id="ended", mode=Mode.ADVANCED)
    sim.end("ended")
    for call_id in ("normal", "ended"):
        with pytest.raises(ValueError, match="only to an advanced call"):
            sim.invite(call_id, "carol")
    with pytest.raises(ValueError, match="does not exist"):
        sim.invite("another", "carol")


def test_a_call_has_a_new_id_and_registers_its_users(sim: Simulator) -> None:
    first, second = sim.ring("bob", caller="alice"), sim.ring("bob")
    assert first != second
    assert sim.code(CallId=second) == 0
    assert [call.state for call in sim.calls()] == ["ringing", "rejected"]
    assert [sim.code(FromUserId=user, CallId=first) for user in ("alice", "zoe")] == [660900008, 660500002]
    sim.register("zoe")
    assert sim.code(FromUserId="zoe", CallId=first) == 660900008


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


def test_a_slow_request_is_processed_on_arrival(sim: Simulator) -> None:
    sim.ring("bob", call_id="call")
    sim.fault("slow", seconds=60)
    with pytest.raises(requests.ReadTimeout):
        sim.call_reject(timeout=0.2)
    assert sim.call("call").state == "rejected"
    sim.fault("slow", seconds=0.2)
    assert sim.call_reject().elapsed.total_seconds() >= 0.2


def test_a_hanging_request_is_processed_when_the_faults_are_cleared(sim: Simulator) -> None:
    sim.ring("bob", call_id="call")
    sim.fault("hang")
    codes: list[int] = []
    thread = Thread(target=lambda: codes.append(sim.code()))
    thread.start()
    until(sim.requests)
    assert (sim.requests()[0].fault, sim.requests()[0].code, sim.call("call").state) == ("hang", None, "ringing")
    sim.clear_faults()
    thread.join(TIMEOUT_SECONDS)
    assert codes == [0]
    assert sim.requests()[0].code == 0


def test_a_hanging_request_is_not_processed_if_the_client_disconnected(sim: Simulator) -> None:
    sim.ring("bob", call_id="call")
    sim.fault("hang")
    with pytest.raises(requests.ReadTimeout):
        sim.call_reject(timeout=0.2)
    sim.clear_faults()
    assert sim.code(FromUserId="caller") == 660900008
    assert (sim.requests()[0].code, sim.call("call").state) == (None, "ringing")


@pytest.mark.parametrize(
    ("kind", "carried_out", "error", "state"),
    [
        ("cut_before", False, r"without response|reset", "ringing"),
        ("cut_before", True, r"without response|reset", "rejected"),
        ("cut_middle", False, "IncompleteRead", "rejected"),
    ],
)
def test_a_connection_is_aborted(
    sim: Simulator,
    kind: Kind,
    carried_out: bool,  # noqa: FBT001
    error: str,
    state: str,
) -> None:
    assert sim.https_url
    sim.ring("bob", call_id="call")
    sim.fault(kind, carried_out=carried_out, times=2)
    with pytest.raises(requests.RequestException, match=error):
        sim.call_reject()
    with pytest.raises(requests.RequestException, match=error):
        requests.get(f"{sim.https_url}/?Action=CallReject", verify=str(sim.ca_file), timeout=TIMEOUT_SECONDS)
    assert sim.call("call").state == state


def test_a_response_can_be_html_a_redirect_or_wrong_json(sim: Simulator) -> None:
    sim.fault("html")
    sim.fault("http_500")
    for status in (200, 500):
        response = sim.call_reject()
        assert (response.status_code, response.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    sim.fault("redirect", location="https://elsewhere.example/")
    response = sim.call_reject()
    assert (response.status_code, response.headers["Location"]) == (302, "https://elsewhere.example/")
    sim.fault("no_code")
    assert sim.call_reject().json().keys() == {"Message", "RequestId"}
    sim.fault("not_object")
    assert sim.call_reject().json() == [0, "success"]


def test_a_huge_response_has_its_size_and_can_be_aborted(sim: Simulator) -> None:
    sim.fault("huge", size=3_000_000)
    response = sim.call_reject()
    assert "Content-Length" not in response.headers
    assert (len(response.content), response.json()["Code"]) == (3_000_000, 0)
    sim.fault("huge", size=10**9)
    with requests.get(f"{sim.url}/?Action=CallReject", timeout=TIMEOUT_SECONDS, stream=True) as response:
        assert next(response.iter_content(1000))
    assert sim.code(Action="") == 100000006


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


def test_https_has_a_certificate_of_the_simulators_ca(sim: Simulator) -> None:
    assert sim.https_url
    response = requests.get(sim.https_url, params=parameters(), verify=str(sim.ca_file), timeout=TIMEOUT_SECONDS)
    assert response.json()["Code"] == 660500002
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(sim.https_url, timeout=TIMEOUT_SECONDS)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_stops_on_a_signal_even_with_open_connections(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "local.zim_simulator", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().split()[-1].rstrip(".")
        sim = SimulatorClient(url)
        sim.fault("huge", size=10**12)
        sim.fault("hang")
        zim_url = f"{url}/?Action=CallReject"
        with requests.get(zim_url, timeout=TIMEOUT_SECONDS, stream=True) as response:
            next(response.iter_content(1000))
        with pytest.raises(requests.ReadTimeout):
            requests.get(zim_url, timeout=0.1)
        process.send_signal(number)
        try:
            assert process.communicate(timeout=TIMEOUT_SECONDS) == ("", "")
        finally:
            process.kill()
        assert process.returncode == 0
