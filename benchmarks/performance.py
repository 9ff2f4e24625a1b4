"""Cold start, warm request, memory and package: ours, the floor and SAM's own build, side by side and interleaved.

python -m benchmarks.performance [--rounds 25] [--requests 1000]
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests

from benchmarks import builds, results
from benchmarks.builds import ASYNC, OURS, Build
from benchmarks.loopback import serving
from local.lambda_runtime import BUILT, LAYER, PYTHON, environment, started
from local.processes import LocalError
from local.stack import ROOT, step

EVENTS = {name: ROOT / "events" / name / "http_api.json" for name in ("CallRejectFunction", "CallRejectAsyncFunction")}
WARM_UP = ROOT / "benchmarks" / "warm_up.py"

type Samples = dict[str, list[float]]


def settings(build: Build, url: str) -> dict[str, str]:
    """Return the environment of a function whose ZIM, Secrets Manager and SQS are at this URL."""
    return environment(
        PYTHONPATH=build.python_path,
        ZIM_API_BASE_URL=url,
        AWS_ENDPOINT_URL=url,
        QUEUE_URL=f"{url}/queue",
        CALLS_PER_SECOND="100000",
        ZIM_CALLS_PER_SECOND_LIMIT="100001",
    )


def cold(build: Build, url: str, event: bytes, folder: Path, before: tuple[str, ...] = ()) -> float:
    """Return the seconds from the start of a function's process to its first answer."""
    with started(folder / "function.log", settings(build, url), before=before) as function:
        # The emulator starts the function's process when the first event comes.
        begun = time.perf_counter()
        answer = requests.post(function, data=event, timeout=60)
        seconds = time.perf_counter() - begun
    if answer.json().get("statusCode") not in {200, 202}:
        raise LocalError(f"The function answered {answer.text}")
    return seconds


def warm(build: Build, url: str, requests_each: int, before: tuple[str, ...] = ()) -> dict[str, float]:
    """Return what one request costs a function that is warm, and its memory early and late."""
    command = [*before, *PYTHON, WARM_UP, EVENTS["CallRejectFunction"], str(requests_each)]
    done = subprocess.run(command, env=settings(build, url), capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"benchmarks/warm_up.py failed: {done.stderr}")
    figures: dict[str, float] = json.loads(done.stderr)
    return {**figures, "logged": len(done.stdout.encode()) / requests_each}


def cold_starts(compared: Mapping[str, Build], url: str, rounds: int, folder: Path) -> Samples:
    """Start each function in turn, in an order that chance gives anew in each round."""
    samples: Samples = {name: [] for name in compared}
    for _ in range(rounds):
        for name in random.sample(sorted(compared), len(compared)):
            event = EVENTS["CallRejectAsyncFunction" if name == "async" else "CallRejectFunction"].read_bytes()
            samples[name].append(cold(compared[name], url, event, folder))
    return samples


def measure(rounds: int, requests_each: int) -> dict[str, Any]:
    """Measure everything, and return it; seconds and bytes."""
    with tempfile.TemporaryDirectory(prefix="call-reject-") as name, serving() as url:
        folder = Path(name)
        for part in ("sam", "floor"):
            (folder / part).mkdir()
        with step("Building the same sources by SAM's own Python build, and the floor"):
            by_sam, floor = builds.built_by_sam(folder / "sam"), builds.floor(folder / "floor")
        with step(f"Starting each of four functions {rounds} times"):
            compared = {"ours": OURS, "floor": floor, "sam": by_sam, "async": ASYNC}
            starts = cold_starts(compared, url, rounds, folder)
        with step(f"Sending {requests_each} requests to each of two functions {rounds} times"):
            figures: dict[str, list[dict[str, float]]] = {"ours": [], "floor": []}
            for _ in range(rounds):
                for each, build in ("ours", OURS), ("floor", floor):
                    figures[each].append(warm(build, url, requests_each))
        functions = [folder for folder in BUILT.iterdir() if folder.name.endswith("Function")]
        zipped, unzipped = builds.sizes([LAYER.parent, *functions])
        return {
            "rounds": rounds,
            "requests": requests_each,
            "cold": {name: _summary(seconds) for name, seconds in starts.items()},
            "warm": {name: _summary([each["processor"] for each in all_]) for name, all_ in figures.items()},
            "memory": {
                name: {when: statistics.median(each[when] for each in all_) for when in ("early", "late")}
                for name, all_ in figures.items()
            },
            "logged": statistics.median(each["logged"] for each in figures["ours"]),
            "package": {"zipped": zipped, "unzipped": unzipped},
        }


def _summary(samples: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(samples), "least": min(samples), "most": max(samples)}


def main(arguments: Sequence[str]) -> int:
    """Measure, print the figures and keep them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.performance", description=__doc__)
    parser.add_argument("--rounds", type=int, default=25, help="of everything that is timed")
    parser.add_argument("--requests", type=int, default=1000, help="in each round, to a function that is warm")
    options = parser.parse_args(arguments)
    try:
        measured = measure(options.rounds, options.requests)
    except LocalError as error:
        print(f"benchmarks.performance: {error}", file=sys.stderr)
        return 1
    print(json.dumps(measured, indent=2))
    results.save("performance", measured)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
