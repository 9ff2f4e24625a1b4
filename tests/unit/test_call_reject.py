"""One request, one outcome: `zim.call_reject`, with the simulator on a real socket and moto's Secrets Manager."""

import json
from typing import Any

import pytest

from local.zim_simulator.running import SimulatorClient
from local.zim_simulator.zim import APP_ID, SERVER_SECRET
from zim.call_reject import CallReject
from zim.outcome import (
    NOTHING_TO_REJECT,
    RATE_LIMITED,
    REJECTED,
    SECRET_UNREADABLE,
    UNEXPECTED_ANSWER,
    USER_NOT_REGISTERED,
    ZIM_REFUSES_US,
    ZIM_TIMEOUT,
    ZIM_UNREACHABLE,
)
from zim.request import CallRejectRequest
from zim.settings import Settings

REMAINING = 15.0


@pytest.fixture
def call_reject(zim: SimulatorClient, aws: Any) -> CallReject:
    return CallReject.from_settings(Settings("zim", zim.url, calls_per_second=100, reserved_concurrency=1))


def request(zim: SimulatorClient) -> CallRejectRequest:
    return CallRejectRequest("user0", zim.ring("user0"), "by test")


def test_a_ringing_call_is_rejected(zim: SimulatorClient, call_reject: CallReject) -> None:
    asked = request(zim)
    outcome = call_reject(asked, REMAINING)
    assert outcome.kind is REJECTED
    assert outcome.body().keys() == {"Code", "Message", "RequestId"}
    assert zim.call(asked.call_id).extended_data == {"user0": "by test"}
    assert outcome.spent.attempts == 1
    assert outcome.spent.zim_time > 0


def test_started_anew_it_reads_the_secret_opens_a_connection_and_has_room_in_the_window(
    zim: SimulatorClient, aws: Any
) -> None:
    call_reject = CallReject.from_settings(Settings("zim", zim.url, calls_per_second=1, reserved_concurrency=1))
    call_reject(request(zim), REMAINING)
    aws.put_secret_value(SecretId="zim", SecretString="no longer a secret")
    call_reject.start_anew()
    assert call_reject(request(zim), REMAINING).kind is SECRET_UNREADABLE
    aws.put_secret_value(SecretId="zim", SecretString=json.dumps({"AppId": APP_ID, "ServerSecret": SERVER_SECRET}))
    outcome = call_reject(request(zim), REMAINING)
    assert outcome.kind is REJECTED
    assert outcome.spent.window_wait == pytest.approx(0, abs=0.1)
    before, after = zim.requests()
    assert before.connection != after.connection


def test_what_zim_answers_decides_the_outcome(zim: SimulatorClient, call_reject: CallReject) -> None:
    outcome = call_reject(CallRejectRequest("nobody", "call-1"), REMAINING)
    assert outcome.kind is USER_NOT_REGISTERED
    assert outcome.body() == {
        "type": "urn:problem-type:call-reject:UserNotRegistered",
        "title": "The user is not registered with ZIM",
        "status": 422,
        "detail": "ZIM answered 660500002: FromUserId is not registered with ZIM.",
        "retryable": False,
        "Code": 660500002,
        "Message": outcome.body()["Message"],
        "RequestId": outcome.body()["RequestId"],
    }


@pytest.mark.parametrize(
    ("code", "kind"),
    [(660300005, RATE_LIMITED), (100000099, ZIM_REFUSES_US), (100000100, UNEXPECTED_ANSWER), (-1, UNEXPECTED_ANSWER)],
)
def test_codes_outside_the_documentation_have_an_outcome_too(
    zim: SimulatorClient, call_reject: CallReject, code: int, kind: object
) -> None:
    zim.fault("code", code=code)
    assert call_reject(request(zim), REMAINING).kind is kind


def test_a_rotated_secret_is_read_anew_and_the_call_made_once_more(
    zim: SimulatorClient, call_reject: CallReject, aws: Any
) -> None:
    assert call_reject(request(zim), REMAINING).kind is REJECTED
    rotated = zim.rotate()
    aws.put_secret_value(SecretId="zim", SecretString=json.dumps({"AppId": APP_ID, "ServerSecret": rotated}))
    outcome = call_reject(request(zim), REMAINING)
    assert outcome.kind is REJECTED
    assert outcome.spent.attempts == 2
    assert call_reject(request(zim), REMAINING).spent.attempts == 1


def test_a_wrong_secret_that_was_not_rotated_is_not_tried_again(zim: SimulatorClient, call_reject: CallReject) -> None:
    zim.rotate()
    outcome = call_reject(request(zim), REMAINING)
    assert outcome.kind is ZIM_REFUSES_US
    assert outcome.spent.attempts == 1


def test_with_little_time_left_the_secret_is_not_read_anew(
    zim: SimulatorClient, call_reject: CallReject, aws: Any
) -> None:
    assert call_reject(request(zim), REMAINING).kind is REJECTED
    rotated = zim.rotate()
    aws.put_secret_value(SecretId="zim", SecretString=json.dumps({"AppId": APP_ID, "ServerSecret": rotated}))
    outcome = call_reject(request(zim), remaining=5.0)
    assert (outcome.kind, outcome.spent.attempts) == (ZIM_REFUSES_US, 1)


def test_a_connection_that_died_is_tried_once_more_and_no_more(zim: SimulatorClient, call_reject: CallReject) -> None:
    zim.fault("cut_before", times=1)
    outcome = call_reject(request(zim), REMAINING)
    assert (outcome.kind, outcome.spent.attempts) == (REJECTED, 2)
    zim.fault("cut_before", times=3)
    outcome = call_reject(request(zim), REMAINING)
    assert (outcome.kind, outcome.spent.attempts) == (ZIM_UNREACHABLE, 2)
    assert len(zim.faults()) == 1


def test_a_call_rejected_before_the_connection_died_ends_well(zim: SimulatorClient, call_reject: CallReject) -> None:
    zim.fault("cut_before", carried_out=True)
    outcome = call_reject(request(zim), REMAINING)
    assert (outcome.kind, outcome.spent.attempts) == (NOTHING_TO_REJECT, 2)


def test_an_answer_that_does_not_come_is_not_tried_again(zim: SimulatorClient, call_reject: CallReject) -> None:
    zim.fault("hang")
    outcome = call_reject(request(zim), remaining=2.0)
    assert (outcome.kind, outcome.spent.attempts) == (ZIM_TIMEOUT, 1)
    assert len(zim.requests()) == 1
    zim.clear_faults()


def test_every_attempt_passes_through_the_window(zim: SimulatorClient, aws: Any) -> None:
    call_reject = CallReject.from_settings(Settings("zim", zim.url, calls_per_second=1, reserved_concurrency=1))
    zim.fault("cut_before", times=1)
    outcome = call_reject(request(zim), REMAINING)
    first, second = (record.monotonic for record in zim.requests())
    assert outcome.kind is REJECTED
    assert second - first >= 1
    assert outcome.spent.window_wait > 0.9


def test_a_window_that_stays_full_too_long_answers_when_to_come_back(zim: SimulatorClient, aws: Any) -> None:
    call_reject = CallReject.from_settings(Settings("zim", zim.url, calls_per_second=1, reserved_concurrency=30))
    assert call_reject(request(zim), REMAINING).kind is REJECTED
    outcome = call_reject(request(zim), REMAINING)
    assert (outcome.kind, outcome.retry_after, outcome.spent.attempts) == (RATE_LIMITED, 30, 0)
    assert len(zim.requests()) == 1


def test_without_a_secret_nothing_is_sent(zim: SimulatorClient, call_reject: CallReject, aws: Any) -> None:
    aws.delete_secret(SecretId="zim", ForceDeleteWithoutRecovery=True)
    outcome = call_reject(request(zim), REMAINING)
    assert (outcome.kind, outcome.spent.attempts) == (SECRET_UNREADABLE, 0)
    assert zim.requests() == []
