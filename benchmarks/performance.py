"""Measure cold start, warm request, memory and package size, next to the floor and to SAM's own build.

python -m benchmarks.performance [--rounds 25] [--requests 1000]
"""

import argparse
import json
import random
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import requests

from benchmarks import builds, results
from benchmarks.builds import Build
from benchmarks.loopback import serve
from local.lambda_runtime import LAYER, PYTHON, environment, started
from local.paths import BUILT, ROOT
from local.processes import LocalError
from local.stack import step

EVENTS = ROOT / "events"
WARM_UP = ROOT / "benchmarks" / "warm_up.py"


def settings(build: Build, url: str) -> dict[str, str]:
    """Return the environment variables of a function; ZIM, Secrets Manager and SQS are at this URL."""
    return environment(
        PYTHONPATH=build.python_path,
        ZIM_API_BASE_URL=url,
        AWS_ENDPOINT_URL=url,
        QUEUE_URL=f"{url}/queue",
        CALLS_PER_SECOND="100000",
        ZIM_CALLS_PER_SECOND_LIMIT="100001",
    )


def event_file(function: str) -> Path:
    """Return the sample event of a function behind HTTPS."""
    return EVENTS / function / "http_api.json"


def cold_start(build: Build, url: str, folder: Path, event: Path, prefix: Sequence[str] = ()) -> float:
    """Return the seconds from the start of the function's process to its first response.

    `prefix` comes before the command that starts the process.
    """
    with started(folder / "function.log", settings(build, url), before=tuple(prefix)) as function:
        # The emulator starts the process when it receives the first event.
        start = time.perf_counter()
        response = requests.post(function, data=event.read_bytes(), timeout=60)
        seconds = time.perf_counter() - start
    if response.json().get("statusCode") not in {200, 202}:
        raise LocalError(f"The function returned {response.text}")
    return seconds


def warm_requests(build: Build, url: str, number: int, prefix: Sequence[str] = ()) -> dict[str, float]:
    """Return the time of a warm request, the peak memory, and the bytes logged for each request."""
    command = [*prefix, *PYTHON, WARM_UP, event_file("CallRejectFunction"), str(number)]
    done = subprocess.run(command, env=settings(build, url), capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"{WARM_UP.name} failed: {done.stderr}")
    figures: dict[str, float] = json.loads(done.stderr)
    return {**figures, "logged": len(done.stdout.encode()) / number}


def measure(rounds: int, number: int) -> dict[str, Any]:
    """Measure all builds in every round, in random order. Times are in seconds, sizes in bytes."""
    with tempfile.TemporaryDirectory() as temporary, serve() as url:
        folder = Path(temporary)
        with step("Building with SAM's Python builder, and the floor"):
            compared = {
                "call_reject": builds.CALL_REJECT,
                "call_reject_async": builds.CALL_REJECT_ASYNC,
                "sam_build": builds.build_with_sam(folder / "sam"),
                "floor": builds.build_floor(folder / "floor"),
            }
        cold: dict[str, list[float]] = {name: [] for name in compared}
        warm: dict[str, list[dict[str, float]]] = {"call_reject": [], "floor": []}
        with step(f"Starting {len(compared)} functions {rounds} times"):
            for _ in range(rounds):
                for name in random.sample(sorted(compared), len(compared)):
                    event = event_file("CallRejectAsyncFunction" if name.endswith("async") else "CallRejectFunction")
                    cold[name].append(cold_start(compared[name], url, folder, event))
        with step(f"Sending {number} requests to {len(warm)} functions {rounds} times"):
            for _ in range(rounds):
                for name, figures in warm.items():
                    figures.append(warm_requests(compared[name], url, number))
    return {
        "rounds": rounds,
        "requests": number,
        "cold": {name: _summary(seconds) for name, seconds in cold.items()},
        "warm": {name: _summary([each["processor"] for each in figures]) for name, figures in warm.items()},
        "memory": {
            name: {key: median(each[key] for each in figures) for key in ("peak_early", "peak")}
            for name, figures in warm.items()
        },
        "logged": median(each["logged"] for each in warm["call_reject"]),
        "package": builds.package_size([LAYER.parent, *BUILT.glob("*Function")]),
    }


def _summary(samples: Sequence[float]) -> dict[str, float]:
    return {"median": median(samples), "minimum": min(samples), "maximum": max(samples)}


def main() -> None:
    """Measure, print the figures and save them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=25, help="of every measurement")
    parser.add_argument("--requests", type=int, default=1000, help="in each round, to a warm function")
    options = parser.parse_args()
    measured = measure(options.rounds, options.requests)
    print(json.dumps(measured, indent=2))
    results.save("performance", measured)


if __name__ == "__main__":
    main()
