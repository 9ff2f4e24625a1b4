"""What else could make a cold start shorter, tried one by one on copies of what is built (docs/performance.md).

python -m benchmarks.tried [--rounds 41]
"""

import argparse
import compileall
import py_compile
import random
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import builds, results
from benchmarks.builds import OURS, Build
from benchmarks.loopback import serving
from benchmarks.performance import EVENTS, cold
from local.processes import LocalError
from local.stack import step

BOTO3 = """
import boto3
from botocore.config import Config

def client(service):
    retries = {"mode": "standard", "total_max_attempts": 2}
    return boto3.client(service, config=Config(connect_timeout=1, read_timeout=2, retries=retries))
"""
EXTENSION = """
import os
import requests

class client:
    def __init__(self, service):
        self._session = requests.Session()

    def get_secret_value(self, SecretId):
        return self._session.post(os.environ["AWS_ENDPOINT_URL"], headers={"X-Amz-Target": "-"}, data=SecretId).json()
"""
NO_ERRORS_OF_THE_SDKS = """
class BotoCoreError(Exception): pass
class ClientError(Exception): pass
"""
TELEMETRY = """
import json, logging
logger = logging.getLogger()

def report(outcome, trigger, request):
    print(json.dumps({"outcome": outcome.kind.name, "trigger": trigger}))
"""
LAZY = '''
import importlib.util, sys

class Finder:
    """Loads what nobody uses in a cold start when it is first used."""

    def find_spec(self, name, path, target=None):
        if name.split(".")[:2] != ["botocore", "docs"]:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec

sys.meta_path.insert(0, Finder())
'''


@dataclass
class Copy:
    """A copy of a built function and its layer, to change; `before` goes in front of the command that runs it."""

    function: Path
    layer: Path
    before: list[str] = field(default_factory=list)

    @property
    def build(self) -> Build:
        """What the benchmarks start."""
        return Build(self.function, self.layer)

    def write(self, module: str, source: str) -> None:
        """Put a module in place of one of the layer's, or beside them."""
        file = self.layer / module
        file.write_text(source)
        for old in (file.with_suffix(".pyc"), *(file.parent / "__pycache__").glob(f"{file.stem}.*")):
            old.unlink(missing_ok=True)
        _compiled(self.layer)

    def change(self, file: Path, old: str, new: str) -> None:
        """Replace text in a source."""
        text = file.read_text()
        if old not in text:
            raise LocalError(f"{file.name} has no {old!r} to change")
        file.write_text(text.replace(old, new))
        shutil.rmtree(file.parent / "__pycache__", ignore_errors=True)
        _compiled(file.parent)


def _compiled(folder: Path, optimize: int = -1, *, legacy: bool = False) -> None:
    compileall.compile_dir(
        folder,
        quiet=1,
        optimize=optimize,
        legacy=legacy,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


def boto3(copy: Copy, others: dict[str, Build]) -> None:
    """Put boto3 around botocore, as most functions have it."""
    for package in ("boto3", "s3transfer"):
        shutil.copytree(others["floor"].layer / package, copy.layer / package)
    copy.write("zim/aws.py", BOTO3)


def all_endpoints(copy: Copy, others: dict[str, Build]) -> None:
    """Leave the data of botocore as it comes, with the endpoints of all services."""
    shutil.rmtree(copy.layer / "botocore" / "data")
    shutil.copytree(others["sam"].layer / "botocore" / "data", copy.layer / "botocore" / "data")


def sources(copy: Copy, others: dict[str, Build]) -> None:
    """Put the dependencies' sources beside their bytecode."""
    data = copy.layer / "botocore" / "data"
    trimmed = copy.layer.parent / "data"
    shutil.move(data, trimmed)
    shutil.rmtree(copy.layer)
    shutil.copytree(others["sam"].layer, copy.layer, ignore=shutil.ignore_patterns("data"))
    shutil.move(trimmed, data)
    _compiled(copy.layer)


def docstrings(copy: Copy, others: dict[str, Build]) -> None:
    """Use bytecode without docstrings and assertions (python -OO)."""
    sources(copy, others)
    shutil.rmtree(copy.layer / "zim")
    for cache in list(copy.layer.rglob("__pycache__")):
        shutil.rmtree(cache)
    shutil.copytree(OURS.layer / "zim", copy.layer / "zim")
    for package in copy.layer.iterdir():
        if package.name != "zim":
            _compiled(package, 2, legacy=True) if package.is_dir() else compileall.compile_file(
                package, quiet=1, optimize=2, legacy=True
            )
    for source in list(copy.layer.rglob("*.py")):
        if source.parent.name != "zim":
            source.unlink()


def frozen_modules(copy: Copy, _: dict[str, Build]) -> None:
    """Turn frozen modules off (`-X frozen_modules`), to see what the default, on, is worth."""
    copy.before = ["env", "PYTHON_FROZEN_MODULES=off"]


def lazy_docs(copy: Copy, _: dict[str, Build]) -> None:
    """Load botocore's documentation, a tenth of its modules, lazily."""
    copy.write("lazy.py", LAZY)
    copy.change(copy.layer / "zim" / "aws.py", "import botocore.session\n", "import lazy\nimport botocore.session\n")


def parts_of_powertools(copy: Copy, _: dict[str, Build]) -> None:
    """Import Powertools' modules one by one instead of its package's names."""
    old = "from aws_lambda_powertools import Logger, Metrics\n"
    new = (
        "from aws_lambda_powertools.logging.logger import Logger\n"
        "from aws_lambda_powertools.metrics.metrics import Metrics\n"
    )
    copy.change(copy.layer / "zim" / "telemetry.py", old, new)


def no_powertools(copy: Copy, _: dict[str, Build]) -> None:
    """Do without Powertools: a bare line by `print`, no metrics."""
    copy.write("zim/telemetry.py", TELEMETRY)
    app = copy.function / "app.py"
    copy.change(app, "from aws_lambda_powertools.utilities.typing import LambdaContext\n", "LambdaContext = object\n")
    copy.change(app, "from zim.telemetry import logger, metrics, report", "from zim.telemetry import report")
    log = '@logger.inject_lambda_context(correlation_id_path="requestContext.requestId", log_event=False)\n'
    copy.change(app, f"{log}@metrics.log_metrics\n", "")


def extension(copy: Copy, _: dict[str, Build]) -> None:
    """Read the secret over HTTP from this machine, as the Parameters and Secrets extension serves it, without an SDK.

    The extension's own start, which would have to be added, cannot be had here.
    """
    copy.write("zim/aws.py", EXTENSION)
    old = "from botocore.exceptions import BotoCoreError, ClientError\n"
    copy.change(copy.layer / "zim" / "credentials.py", old, NO_ERRORS_OF_THE_SDKS)


TRIED: list[Callable[[Copy, dict[str, Build]], None]] = [
    boto3,
    all_endpoints,
    sources,
    docstrings,
    frozen_modules,
    lazy_docs,
    parts_of_powertools,
    no_powertools,
    extension,
]


def measure(rounds: int) -> dict[str, Any]:
    """Return the median seconds of a cold start of ours, and by how much each variant takes longer.

    That is the median of the ratios within a round: a shared machine is now faster, now slower, for seconds.
    """
    event = EVENTS["CallRejectFunction"].read_bytes()
    with tempfile.TemporaryDirectory(prefix="call-reject-") as name, serving() as url:
        folder = Path(name)
        for part in ("sam", "floor"):
            (folder / part).mkdir()
        with step("Building the variants"):
            others = {"sam": builds.built_by_sam(folder / "sam"), "floor": builds.floor(folder / "floor")}
            copies = {"ours": Copy(OURS.function, OURS.layer)}
            for variant in TRIED:
                copy = Copy(folder / variant.__name__ / "function", folder / variant.__name__ / "layer")
                shutil.copytree(OURS.function, copy.function)
                shutil.copytree(OURS.layer, copy.layer)
                variant(copy, others)
                copies[variant.__name__] = copy
        seconds: dict[str, list[float]] = {each: [] for each in copies}
        with step(f"Starting each of {len(copies)} variants {rounds} times"):
            for _ in range(rounds):
                for each in random.sample(sorted(copies), len(copies)):
                    seconds[each].append(cold(copies[each].build, url, event, folder, tuple(copies[each].before)))
        ours = seconds.pop("ours")
        ratios = {
            each: statistics.median(one / other for one, other in zip(samples, ours, strict=True))
            for each, samples in seconds.items()
        }
        return {"rounds": rounds, "ours": statistics.median(ours), "ratios": ratios}


def main(arguments: Sequence[str]) -> int:
    """Measure, print the ratios and keep them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tried", description=__doc__)
    parser.add_argument("--rounds", type=int, default=41, help="cold starts of each variant")
    options = parser.parse_args(arguments)
    try:
        measured = measure(options.rounds)
    except LocalError as error:
        print(f"benchmarks.tried: {error}", file=sys.stderr)
        return 1
    print(f"ours: {measured['ours'] * 1000:.0f} ms")
    for name, ratio in measured["ratios"].items():
        print(f"{name:20} {ratio:.2f} x ours")
    results.save("tried", measured)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
