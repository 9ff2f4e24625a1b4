"""Print the notes of a release from CHANGELOG.md: python -m local.release_notes v1.0.0."""

import platform
import re
import sys

from local.paths import ROOT
from local.processes import LocalError, exit_on_error


def notes(version: str, changelog: str) -> str:
    """Return the section of a version in the changelog, without its heading.

    Raises
    ------
    LocalError
        if it is not the newest version in the changelog.
    """
    newest = re.search(r"^## \[([\d.]+)\][^\n]*\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if not newest or newest[1] != version:
        raise LocalError(f"The newest version in CHANGELOG.md is not {version}.")
    return newest[2].strip()


def main() -> None:
    """Print the notes of a tag, and the version of Python with which the same bytes can be built."""
    version = sys.argv[1].removeprefix("v")
    print(notes(version, (ROOT / "CHANGELOG.md").read_text()))
    print(f"\nBuilt with Python {platform.python_version()}. To verify the files, see docs/verify.md.")


if __name__ == "__main__":
    with exit_on_error("release notes"):
        main()
