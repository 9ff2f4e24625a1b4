"""`make run` installs only what it needs."""

import re
import subprocess
import sys

from tests.support.paths import ROOT

MODULES = ("run", "client", "dead_letters", "do_not_disturb", "invoke", "logs", "send", "zim_simulator.__main__")
"""The modules of `local` that need a running stack, and the simulator."""

PRINT_DISTRIBUTIONS = """
import importlib, sys
from importlib.metadata import packages_distributions
for name in sys.argv[1:]:
    importlib.import_module(f"local.{name}")
imported = {name.partition(".")[0] for name in sys.modules}
print(*{each for name, found in packages_distributions().items() if name in imported for each in found})
"""


def output_of(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_the_requirements_of_make_run_include_all_that_its_modules_import() -> None:
    pinned = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements" / "run.txt").read_text(), re.MULTILINE)
    imported = output_of(sys.executable, "-c", PRINT_DISTRIBUTIONS, *MODULES).lower().replace("_", "-").split()
    assert "boto3" in imported
    assert set(imported) <= {*pinned, "chardet"}  # requests imports chardet if it is installed
