"""Measure cold start, warm request, memory and package size, next to the floor, the limit and SAM's own build.

python -m benchmarks.performance
"""

import json
import random
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import builds, results, servers
from benchmarks.builds import Build
from local.lambda_runtime import LAYER, PYTHON, environment
from local.paths import BUILT, ROOT
from local.processes import LocalError
from local.runtime_api import execution_environment
from local.stack import step

EVENTS = ROOT / "events"
WARM_UP = ROOT / "benchmarks" / "warm_up.py"

ROUNDS = 25
"""Of every measurement."""

REQUESTS = 1000
"""In each round, to a warm function."""

AWS_ROUND_TRIP = 0.005
ZIM_ROUND_TRIPS = (0.03, 0.1, 0.25)
"""In seconds."""


@dataclass(frozen=True)
class Function:
    """A build, the file of the event that it receives, and the base URLs of AWS and ZIM."""

    build: Build
    aws_url: str
    zim_url: str
    event: Path = EVENTS / "CallRejectFunction" / "http_api.json"

    def settings(self) -> dict[str, str]:
        """Return the environment variables."""
        return environment(
            PYTHONPATH=self.build.python_path,
            ZIM_API_BASE_URL=self.zim_url,
            AWS_ENDPOINT_URL=self.aws_url,
            QUEUE_URL=f"{self.aws_url}/queue",
            JWT_USER_CLAIM="sub",
            EXPIRES_AFTER_SECONDS="60",
            CALLS_PER_SECOND="100000",
            ZIM_CALLS_PER_SECOND_LIMIT="100001",
        )


def cold_start(function: Function, log: Path) -> dict[str, float]:
    """Return the seconds of INIT and of the first invocation, and the total until the response."""
    with execution_environment(function.settings(), log) as running:
        first = running.invoke(json.loads(function.event.read_text()))
    check(first.result)
    return {"init": running.init_seconds, "first": first.seconds, "total": first.ended_at - running.started_at}


def check(result: Any) -> None:
    """Raise LocalError if a function did not succeed."""
    if result.get("statusCode") not in {200, 202}:
        raise LocalError(f"The function returned {result}")


def warm_requests(function: Function) -> dict[str, float]:
    """Return the processor time of a warm request, the peak memory, and the bytes logged for each request."""
    command = [*PYTHON, WARM_UP, function.event, str(REQUESTS)]
    done = subprocess.run(command, env=function.settings(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"{WARM_UP.name} failed: {done.stderr}")
    figures: dict[str, float] = json.loads(done.stderr)
    return {**figures, "logged": len(done.stdout.encode()) / REQUESTS}


def measure() -> dict[str, Any]:
    """Measure all functions in every round, in random order. Times are in seconds, sizes in bytes."""
    with (
        tempfile.TemporaryDirectory() as temporary,
        servers.serve(Path(temporary), AWS_ROUND_TRIP, *ZIM_ROUND_TRIPS) as at,
    ):
        folder = Path(temporary)
        log, near, loopback = folder / "function.log", at.urls[AWS_ROUND_TRIP], at.urls[0.0]
        with step("Building with SAM's Python builder, the floor and the limit"):
            sam = builds.build_with_sam(folder / "sam")
            floor = builds.build_floor(folder / "floor")
            limit = builds.build_limit(folder / "limit", floor)
        call_reject = builds.trust(builds.CALL_REJECT, at.ca_certificate, folder / "layer")
        queueing = Build(builds.CALL_REJECT_ASYNC.function, call_reject.layer)
        trusting_floor = builds.trust(floor, at.ca_certificate, folder / "floor_layer")
        compared = {
            "call_reject": Function(builds.CALL_REJECT, loopback, loopback),
            "sam_build": Function(sam, loopback, loopback),
            "limit": Function(limit, near, near),
            "call_reject_async": Function(queueing, near, near, EVENTS / "CallRejectAsyncFunction" / "http_api.json"),
        }
        for round_trip in ZIM_ROUND_TRIPS:
            compared[f"call_reject {round_trip}"] = Function(call_reject, near, at.urls[round_trip])
            compared[f"floor {round_trip}"] = Function(trusting_floor, near, at.urls[round_trip])
        cold: dict[str, list[dict[str, float]]] = {name: [] for name in compared}
        with step(f"Starting {len(compared)} functions {ROUNDS} times"):
            for _ in range(ROUNDS):
                for name in random.sample(sorted(compared), len(compared)):
                    cold[name].append(cold_start(compared[name], log))
        compared["floor"] = Function(floor, loopback, loopback)
        warm: dict[str, list[dict[str, float]]] = {"call_reject": [], "floor": []}
        with step(f"Sending {REQUESTS} requests to {len(warm)} functions {ROUNDS} times"):
            for _ in range(ROUNDS):
                for name, figures in warm.items():
                    figures.append(warm_requests(compared[name]))
    return {
        "rounds": ROUNDS,
        "requests": REQUESTS,
        "cold": {name: medians(samples) for name, samples in cold.items()},
        "warm": {name: medians(samples) for name, samples in warm.items()},
        "package": builds.package_size([LAYER.parent, *BUILT.glob("*Function")]),
    }


def medians(samples: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the median of each figure."""
    return {name: median(sample[name] for sample in samples) for name in samples[0]}


def main() -> None:
    """Measure, print the figures and save them."""
    measured = measure()
    for name, figures in measured["cold"].items():
        print(f"{name:20}", "  ".join(f"{figure} {seconds * 1000:.0f} ms" for figure, seconds in figures.items()))
    results.save("performance", measured)


if __name__ == "__main__":
    main()
