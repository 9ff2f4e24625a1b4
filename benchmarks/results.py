"""Benchmark results: one JSON file each in `benchmarks/results/`, with the date and the machine."""

import json
import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def save(name: str, measured: Any) -> None:
    """Write the results of a benchmark to its file."""
    processors = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    document = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": {
            "cores": os.cpu_count(),
            "processor": processors[0] if processors else platform.machine(),
            "python": platform.python_version(),
        },
        "load_average": os.getloadavg()[0],
        "measured": measured,
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n")


def load(name: str) -> Any:
    """Return the document that the benchmark wrote last."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value that this share of the sorted values does not exceed."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
