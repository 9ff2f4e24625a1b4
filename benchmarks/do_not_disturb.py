"""Measure the time from a ring to its rejection by examples/do-not-disturb: `python -m benchmarks.do_not_disturb`.

Everything runs on this machine, so the emulator and the simulator compete with the functions for the processor.
"""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from local.example import DoNotDisturb, deploy
from local.issuer import AUDIENCE, Issuer, issuer
from local.processes import free_port, until
from local.stack import deployed
from local.zim_simulator.state import most_in_a_second

RINGS = 100
WAIT_SECONDS = 120.0


def main() -> None:
    """Measure single rings, then rings at once at two rates of the queue."""
    for queue_rate, api_rate in ((10, 10), (19, 1)):
        with issuer() as oidc:
            parameters = {"JwtIssuer": oidc.url, "JwtAudience": AUDIENCE}
            shares = {"QueueCallsPerSecond": str(queue_rate), "ApiCallsPerSecond": str(api_rate), "ApiConcurrency": "1"}
            with deployed(free_port(), free_port(), {**parameters, **shares}) as stack:
                example = deploy(stack)
                example.receive_callbacks()
                print(f"\nQueueCallsPerSecond {queue_rate}")
                _measure(example, oidc, "warm-up", RINGS, at_once=True)
                _measure(example, oidc, "one ring after the other", RINGS // 4, at_once=False)
                _measure(example, oidc, "rings at once", RINGS, at_once=True)


def _measure(example: DoNotDisturb, oidc: Issuer, name: str, rings: int, *, at_once: bool) -> None:
    simulator = example.stack.simulator
    users = [f"callee{number}" for number in range(rings)]
    for user in users:
        example.request("PUT", oidc.token(user), body={"Until": int(time.time()) + 3600})
    simulator.clear_requests()
    started = time.monotonic()
    call_ids: list[str] = []
    if at_once:
        with ThreadPoolExecutor(20) as pool:
            call_ids += pool.map(simulator.ring, users)
        ringing = time.monotonic() - started
        _wait(example, call_ids)
    else:
        for user in users:
            call_ids.append(simulator.ring(user))
            _wait(example, call_ids[-1:])
            time.sleep(1)  # so that the rate limit does not delay the next one
        ringing = time.monotonic() - started
    calls = [call for call in simulator.calls() if call.call_id in call_ids]
    seconds = [after for call in calls for after in call.rejected_after.values() if after]
    arrivals = [record.monotonic for record in simulator.requests()]
    percentiles = statistics.quantiles(seconds, n=100, method="inclusive")
    print(
        f"{name}: {len(seconds)} rejected of {rings} that rang within {ringing:.1f} s; "
        f"p50 {percentiles[49]:.2f} s, p99 {percentiles[98]:.2f} s; "
        f"{len(arrivals)} calls to ZIM, at most {most_in_a_second(arrivals)} in a second"
    )


def _wait(example: DoNotDisturb, call_ids: list[str]) -> None:
    def are_rejected() -> bool:
        states = {call.call_id: call.state for call in example.stack.simulator.calls()}
        return all(states[call_id] == "rejected" for call_id in call_ids)

    until(are_rejected, WAIT_SECONDS, "The calls were not rejected")


if __name__ == "__main__":
    main()
