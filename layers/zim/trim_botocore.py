"""Remove all services except the named ones from botocore's data: `trim_botocore.py DATA SERVICE ...`.

Each new botocore session reads `endpoints.json`, which lists the hosts of all services. Parsing the whole file takes
longer than creating a client (docs/performance.md).
"""

import json
import shutil
import sys
from pathlib import Path


def trim(data: Path, services: set[str]) -> None:
    """Trim `botocore/data`."""
    for folder in data.iterdir():
        if folder.is_dir() and folder.name not in services:
            shutil.rmtree(folder)
    endpoints = data / "endpoints.json"
    described = json.loads(endpoints.read_text())
    for partition in described["partitions"]:
        partition["services"] = {name: value for name, value in partition["services"].items() if name in services}
    endpoints.write_text(json.dumps(described, separators=(",", ":")))


if __name__ == "__main__":
    trim(Path(sys.argv[1]), set(sys.argv[2:]))
