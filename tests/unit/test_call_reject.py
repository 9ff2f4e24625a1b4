"""Reject a call within the rate limit and with retries: `zim.call_reject`, with the simulator and moto."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from local.zim_simulator.running import SimulatorClient
from local.zim_simulator.zim import APP_ID
from tests.support.http_server import Response, serve
from tests.unit.doubles import UNIX_TIME, Clock
from zim import call_reject
from zim.aws import client
from zim.call_reject import CallRejectService
from zim.connection import Connector
from zim.credentials import CredentialsStore
from zim.errors import (
    CallRejectError,
    InvitationClosed,
    RateLimited,
    RequestExpired,
    SecretUnavailable,
    UserNotRegistered,
    ZimConfigurationError,
    ZimTimeout,
    ZimUnreachable,
)
from zim.rate_limit import RateLimitWindow
from zim.request import CallRejectRequest
from zim.response import ZimResponse
from zim.server_api import ServerApi

REMAINING_SECONDS = 15.0


class Secret:
    """The secret `zim` in moto: counts how often it is read, and changes it."""

    def __init__(self, aws: Any) -> None:
        self.client = client("secretsmanager")
        self.reads = 0
        self.client.meta.events.register("before-call.secretsmanager.GetSecretValue", self._count)
        self._aws = aws

    def _count(self, **_: object) -> None:
        self.reads += 1

    def update(self, server_secret: str) -> None:
        self._aws.put_secret_value(
            SecretId="zim", SecretString=json.dumps({"AppId": APP_ID, "ServerSecret": server_secret})
        )


@pytest.fixture
def secret(aws: Any) -> Secret:
    return Secret(aws)


@pytest.fixture
def service(zim: SimulatorClient, secret: Secret) -> CallRejectService:
    return new_service(zim.url, secret, RateLimitWindow(100, 1))


@pytest.fixture
def new_frozen(
    zim: SimulatorClient, secret: Secret, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Callable[[int], CallRejectService]:
    """Create a service that makes one call in these seconds, on a clock that passes only while it sleeps."""
    monkeypatch.setattr(call_reject, "time", clock)
    return lambda seconds: new_service(zim.url, secret, RateLimitWindow(1, seconds, clock.monotonic, clock.sleep))


@pytest.fixture
def frozen(new_frozen: Callable[[int], CallRejectService]) -> CallRejectService:
    return new_frozen(1)


def new_service(url: str, secret: Secret, window: RateLimitWindow) -> CallRejectService:
    return CallRejectService(CredentialsStore("zim", secret.client), window, ServerApi(url, Connector(url)))


def ring(zim: SimulatorClient) -> CallRejectRequest:
    return CallRejectRequest("user0", zim.ring("user0"), "by test")


def failure(
    service: CallRejectService, request: CallRejectRequest, remaining_seconds: float = REMAINING_SECONDS
) -> CallRejectError:
    with pytest.raises(CallRejectError) as raised:
        service.reject(request, remaining_seconds)
    return raised.value


def attempts(service: CallRejectService) -> int:
    """Return the attempts of the latest request, and start a new one."""
    attempts = service.stats.attempts
    service.stats.reset()
    return attempts


def test_a_ringing_call_is_rejected(zim: SimulatorClient, service: CallRejectService) -> None:
    request = ring(zim)
    response = service.reject(request, REMAINING_SECONDS)
    assert (response.code, response.message) == (0, "success")
    assert zim.call(request.call_id).extended_data == {"user0": "by test"}
    assert attempts(service) == 1


def test_an_error_keeps_the_response_of_zim(secret: Secret) -> None:
    members = {"Code": 660500002, "Message": "user not registered", "RequestId": "42"}
    with serve(lambda _: Response.json(members)) as server:
        error = failure(new_service(server.url, secret, RateLimitWindow(1, 1)), CallRejectRequest("user0", "call-1"))
    assert isinstance(error, UserNotRegistered)
    assert error.response == ZimResponse(660500002, "user not registered", "42")


@pytest.mark.parametrize(("code", "error_class"), [(660300005, RateLimited), (100000099, ZimConfigurationError)])
def test_an_error_that_the_same_request_meets_again_is_not_retried(
    zim: SimulatorClient, service: CallRejectService, code: int, error_class: type[CallRejectError]
) -> None:
    zim.fault("code", code=code)
    assert isinstance(failure(service, ring(zim)), error_class)
    assert attempts(service) == 1


def test_a_rotated_secret_is_read_and_the_call_is_retried(
    zim: SimulatorClient, service: CallRejectService, secret: Secret
) -> None:
    service.reject(ring(zim), REMAINING_SECONDS)
    assert attempts(service) == 1
    secret.update(zim.rotate())
    assert service.reject(ring(zim), REMAINING_SECONDS).code == 0
    assert attempts(service) == 2
    assert service.reject(ring(zim), REMAINING_SECONDS).code == 0
    assert attempts(service) == 1
    assert secret.reads == 2


def test_a_rejected_signature_is_not_retried_if_the_secret_is_the_same(
    zim: SimulatorClient, service: CallRejectService, secret: Secret
) -> None:
    zim.rotate()
    assert isinstance(failure(service, ring(zim)), ZimConfigurationError)
    assert attempts(service) == 1
    assert secret.reads == 2


def test_the_secret_is_refreshed_once_per_request(
    zim: SimulatorClient, service: CallRejectService, secret: Secret
) -> None:
    service.reject(ring(zim), REMAINING_SECONDS)
    attempts(service)
    zim.rotate()
    secret.update("x" * 32)
    assert isinstance(failure(service, ring(zim)), ZimConfigurationError)
    assert attempts(service) == 2
    assert secret.reads == 2


@pytest.mark.parametrize(("remaining_seconds", "refreshed"), [(8.5, True), (8.49, False)])
def test_the_secret_is_refreshed_only_if_there_is_time_to_read_it_before_the_deadline(
    zim: SimulatorClient,
    frozen: CallRejectService,
    secret: Secret,
    clock: Clock,
    remaining_seconds: float,
    *,
    refreshed: bool,
) -> None:
    frozen.reject(ring(zim), REMAINING_SECONDS)
    attempts(frozen)
    clock.now += 60
    secret.update(zim.rotate())
    if refreshed:
        frozen.reject(ring(zim), remaining_seconds)
    else:
        assert isinstance(failure(frozen, ring(zim), remaining_seconds), ZimConfigurationError)
    assert attempts(frozen) == (2 if refreshed else 1)
    assert secret.reads == (2 if refreshed else 1)


def test_a_lost_connection_is_retried_once(zim: SimulatorClient, service: CallRejectService) -> None:
    zim.fault("cut_before")
    assert service.reject(ring(zim), REMAINING_SECONDS).code == 0
    assert attempts(service) == 2
    zim.fault("cut_before", times=3)
    assert isinstance(failure(service, ring(zim)), ZimUnreachable)
    assert attempts(service) == 2
    assert len(zim.faults()) == 1


def test_a_refused_connection_is_not_retried(secret: Secret) -> None:
    with serve(lambda _: None) as server:
        closed = server.url
    service = new_service(closed, secret, RateLimitWindow(100, 1))
    assert isinstance(failure(service, CallRejectRequest("user0", "call-1")), ZimUnreachable)
    assert attempts(service) == 1


def test_a_lost_connection_and_a_rotated_secret_are_retried_once_each(
    zim: SimulatorClient, service: CallRejectService, secret: Secret
) -> None:
    service.reject(ring(zim), REMAINING_SECONDS)
    attempts(service)
    secret.update(zim.rotate())
    zim.fault("cut_before")
    assert service.reject(ring(zim), REMAINING_SECONDS).code == 0
    assert attempts(service) == 3


def test_a_call_that_was_rejected_before_the_connection_was_lost_is_closed(
    zim: SimulatorClient, service: CallRejectService
) -> None:
    zim.fault("cut_before", carried_out=True)
    assert isinstance(failure(service, ring(zim)), InvitationClosed)
    assert attempts(service) == 2


def test_a_response_that_does_not_arrive_is_not_retried(zim: SimulatorClient, service: CallRejectService) -> None:
    zim.fault("hang")
    started = time.monotonic()
    assert isinstance(failure(service, ring(zim), remaining_seconds=1.6), ZimTimeout)
    assert 1.1 <= time.monotonic() - started < 1.6
    assert len(zim.requests()) == 1
    zim.clear_faults()


@pytest.mark.parametrize(("remaining_seconds", "sent"), [(1.5, 1), (1.49, 0)])
def test_no_call_starts_with_less_than_a_second_for_the_response(
    zim: SimulatorClient, frozen: CallRejectService, remaining_seconds: float, sent: int
) -> None:
    if sent:
        frozen.reject(ring(zim), remaining_seconds)
    else:
        error = failure(frozen, ring(zim), remaining_seconds)
        assert isinstance(error, RateLimited)
        assert error.retry_after == 1
    assert attempts(frozen) == len(zim.requests()) == sent


def test_every_attempt_waits_for_the_rate_limit(zim: SimulatorClient, frozen: CallRejectService, clock: Clock) -> None:
    zim.fault("cut_before")
    frozen.reject(ring(zim), REMAINING_SECONDS)
    frozen.reject(ring(zim), REMAINING_SECONDS)
    assert clock.slept == [1.0, 1.0]
    assert (frozen.stats.attempts, frozen.stats.window_wait) == (3, 2.0)


@pytest.mark.parametrize(("passed", "retry_after"), [(0.0, 30), (0.5, 30), (1.0, 29), (15.0, 15)])
def test_a_full_window_is_an_error_with_the_whole_seconds_to_wait(
    zim: SimulatorClient,
    new_frozen: Callable[[int], CallRejectService],
    clock: Clock,
    passed: float,
    retry_after: int,
) -> None:
    service = new_frozen(30)
    service.reject(ring(zim), REMAINING_SECONDS)
    attempts(service)
    clock.now += passed
    error = failure(service, ring(zim))
    assert isinstance(error, RateLimited)
    assert error.retry_after == retry_after
    assert f"{30 - passed:.3f} s" in error.cause
    assert attempts(service) == 0
    assert len(zim.requests()) == 1


def expiring(zim: SimulatorClient, seconds: int) -> CallRejectRequest:
    """Return a request for a call that rings. It expires these seconds after the clock's start."""
    return replace(ring(zim), expires_at=UNIX_TIME + seconds)


@pytest.mark.parametrize("seconds", [0, -1, 1 - UNIX_TIME])
def test_an_expired_request_is_neither_sent_nor_is_the_secret_read(
    zim: SimulatorClient, frozen: CallRejectService, secret: Secret, seconds: int
) -> None:
    error = failure(frozen, expiring(zim, seconds))
    assert isinstance(error, RequestExpired)
    assert str(UNIX_TIME + seconds) in error.cause
    assert (attempts(frozen), secret.reads, zim.requests()) == (0, 0, [])


def test_a_request_that_expires_while_the_secret_is_read_is_not_sent(
    zim: SimulatorClient, frozen: CallRejectService, secret: Secret, clock: Clock
) -> None:
    secret.client.meta.events.register("before-call.secretsmanager.GetSecretValue", lambda **_: clock.sleep(5))
    assert isinstance(failure(frozen, expiring(zim, 4)), RequestExpired)
    assert (secret.reads, zim.requests()) == (1, [])


@pytest.mark.parametrize(("seconds", "sent"), [(3, True), (1, False)])
def test_a_request_does_not_wait_for_the_rate_limit_until_after_its_expiry(
    zim: SimulatorClient, new_frozen: Callable[[int], CallRejectService], clock: Clock, seconds: int, *, sent: bool
) -> None:
    two_seconds_apart = new_frozen(2)
    two_seconds_apart.reject(ring(zim), REMAINING_SECONDS)
    if sent:
        two_seconds_apart.reject(expiring(zim, seconds), REMAINING_SECONDS)
    else:
        assert isinstance(failure(two_seconds_apart, expiring(zim, seconds)), RequestExpired)
    assert clock.slept == ([2.0] if sent else [])
    assert len(zim.requests()) == (2 if sent else 1)


@pytest.mark.parametrize(("seconds", "sent"), [(3, 2), (1, 1)])
def test_a_request_that_expires_after_a_lost_connection_is_not_sent_again(
    zim: SimulatorClient, new_frozen: Callable[[int], CallRejectService], seconds: int, sent: int
) -> None:
    two_seconds_apart = new_frozen(2)
    zim.fault("cut_before")
    if sent == 2:
        assert two_seconds_apart.reject(expiring(zim, seconds), REMAINING_SECONDS).code == 0
    else:
        error = failure(two_seconds_apart, expiring(zim, seconds))
        assert isinstance(error, RequestExpired)
        assert "confirmed" in error.detail
    assert attempts(two_seconds_apart) == len(zim.requests()) == sent


@pytest.mark.parametrize(("seconds", "error_class"), [(31, RateLimited), (29, RequestExpired)])
def test_a_full_window_is_an_expired_request_only_if_the_request_expires_before_a_slot_is_free(
    zim: SimulatorClient,
    new_frozen: Callable[[int], CallRejectService],
    clock: Clock,
    seconds: int,
    error_class: type[CallRejectError],
) -> None:
    service = new_frozen(30)
    service.reject(ring(zim), REMAINING_SECONDS)
    assert isinstance(failure(service, expiring(zim, seconds)), error_class)
    assert clock.slept == []


def test_the_time_of_all_calls_is_measured(zim: SimulatorClient, service: CallRejectService) -> None:
    zim.settings(latency=0.05)
    zim.fault("cut_before")
    started = time.monotonic()
    service.reject(ring(zim), REMAINING_SECONDS)
    elapsed = time.monotonic() - started
    assert 0.075 <= service.stats.zim_time <= elapsed
    assert 0 <= service.stats.window_wait < 0.05
    service.stats.reset()
    assert (service.stats.attempts, service.stats.window_wait, service.stats.zim_time) == (0, 0, 0)


def test_nothing_is_sent_without_a_secret(zim: SimulatorClient, service: CallRejectService, aws: Any) -> None:
    aws.delete_secret(SecretId="zim", ForceDeleteWithoutRecovery=True)
    assert isinstance(failure(service, ring(zim)), SecretUnavailable)
    assert attempts(service) == 0
    assert zim.requests() == []


def test_a_reset_discards_the_secret_the_connection_and_the_window(
    zim: SimulatorClient, frozen: CallRejectService, secret: Secret, clock: Clock
) -> None:
    frozen.reject(ring(zim), REMAINING_SECONDS)
    frozen.reset()
    frozen.reject(ring(zim), REMAINING_SECONDS)
    assert secret.reads == 2
    assert clock.slept == []
    before, after = zim.requests()
    assert before.connection != after.connection
