"""The rate limit of one environment, measured by ZIM's clock."""

from local.zim_simulator.running import SimulatorClient
from tests.artifact.conftest import StartFunction
from tests.artifact.runtime import REQUEST


def test_an_environment_keeps_to_its_share_of_the_rate_limit(zim: SimulatorClient, start: StartFunction) -> None:
    zim.settings(calls_per_second=2)
    with start(CALLS_PER_SECOND="5", RESERVED_CONCURRENCY="2") as function:
        calls = [zim.ring(REQUEST["FromUserId"]) for _ in range(4)]
        assert [function.reject(CallId=call).status for call in calls] == [200] * 4
    arrivals = [record.monotonic for record in zim.requests()]
    assert all(third - first >= 1 for first, third in zip(arrivals, arrivals[2:], strict=False))
