"""The window of one environment, held against ZIM's own clock."""

from local.zim_simulator.running import SimulatorClient
from tests.artifact.runtime import REQUEST, Start


def test_no_more_calls_arrive_in_any_second_than_the_environment_may_make(zim: SimulatorClient, start: Start) -> None:
    zim.settings(calls_per_second=2)
    with start(CALLS_PER_SECOND="5", RESERVED_CONCURRENCY="2") as function:
        calls = [zim.ring(REQUEST["FromUserId"]) for _ in range(4)]
        assert [function.reject(CallId=call).status for call in calls] == [200] * 4
    arrivals = [record.monotonic for record in zim.requests()]
    assert all(third - first >= 1 for first, third in zip(arrivals, arrivals[2:], strict=False))


def test_every_attempt_passes_through_the_window(zim: SimulatorClient, start: Start) -> None:
    zim.settings(calls_per_second=1)
    zim.fault("cut_before")
    with start(CALLS_PER_SECOND="1") as function:
        assert function.reject().status == 422
        assert (function.line()["attempts"], function.line()["window_wait_ms"] > 900) == (2, True)
    first, second = (record.monotonic for record in zim.requests())
    assert second - first >= 1


def test_a_wait_longer_than_the_invocation_may_last_is_told_at_once(zim: SimulatorClient, start: Start) -> None:
    zim.settings(calls_per_second=1)
    with start(CALLS_PER_SECOND="1", RESERVED_CONCURRENCY="25") as function:
        assert function.reject().status == 422
        zim.clear_requests()
        response = function.reject()
        assert response.status == 429
        assert response.members["type"] == "urn:problem-type:call-reject:RateLimited"
        assert response.members["retryable"] is True
        assert response.members.keys() == {"type", "title", "status", "detail", "retryable"}
        # The window is full for 25 s from the answer before, of which little has passed.
        assert 20 <= int(response.headers["Retry-After"]) <= 25
        line = function.line()
        assert (line["attempts"], line["window_wait_ms"]) == (0, 0)
    assert zim.requests() == []


def test_a_window_that_is_not_full_holds_nobody_up(zim: SimulatorClient, start: Start) -> None:
    with start(CALLS_PER_SECOND="10", RESERVED_CONCURRENCY="2") as function:
        for _ in range(5):
            assert function.reject().status == 422
            assert function.line()["window_wait_ms"] < 500
