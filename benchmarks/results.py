"""What the benchmarks measured, kept as JSON in `benchmarks/results/` with the date and the machine."""

import json
import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def save(name: str, measured: Any) -> None:
    """Keep what a benchmark measured under its name."""
    document = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": {"cores": os.cpu_count(), "model": _processor(), "python": platform.python_version()},
        "load_average": os.getloadavg()[0],
        "measured": measured,
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n")


def _processor() -> str:
    models = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return models[0] if models else platform.machine()


def load(name: str) -> Any:
    """Return the document that was kept last."""
    return json.loads((RESULTS / f"{name}.json").read_text())
