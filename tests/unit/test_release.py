"""The release workflow and the release notes. tests/artifact/test_release.py tests the files of a release."""

import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from local.processes import LocalError
from local.release_notes import notes
from tests.support.paths import DOCS, ROOT
from tests.unit.template import SECRETS, TEMPLATE, rules_allow

CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
NEWEST = re.findall(r"^## \[([\d.]+)\]", CHANGELOG, re.MULTILINE)[0]
RELEASE: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())
EXAMPLE = """# Changelog

## [Unreleased]

- not yet

## [1.1.0] - 2026-12-01

### Added

- a thing

## [1.0.0] - 2026-11-21

- another thing
"""


def test_the_notes_of_a_release_are_its_section_in_the_changelog() -> None:
    assert notes("1.1.0", EXAMPLE) == "### Added\n\n- a thing"


@pytest.mark.parametrize("version", ["1.0.0", "1.2.0", "Unreleased", ""])
def test_a_tag_that_is_not_the_newest_version_has_no_notes(version: str) -> None:
    with pytest.raises(LocalError, match="newest version"):
        notes(version, EXAMPLE)


def test_the_notes_of_the_newest_version_name_the_version_of_python() -> None:
    command = [sys.executable, "-m", "local.release_notes", f"v{NEWEST}"]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert notes(NEWEST, CHANGELOG) in printed
    assert re.search(r"Built with Python 3\.13\.\d+", printed)


def test_a_tag_starts_a_release_whose_building_job_can_only_read() -> None:
    assert RELEASE[True] == {"push": {"tags": ["v*.*.*"]}}  # YAML reads the key "on" as true
    assert RELEASE["permissions"] == {}
    permissions = {name: job["permissions"] for name, job in RELEASE["jobs"].items()}
    assert permissions == {
        "build": {"contents": "read"},
        "publish": {"actions": "read", "attestations": "write", "contents": "write", "id-token": "write"},
    }


def test_the_job_that_can_write_runs_nothing_of_the_repository() -> None:
    steps = RELEASE["jobs"]["publish"]["steps"]
    assert [step["uses"].partition("@")[0] for step in steps if "uses" in step] == ["actions/attest-build-provenance"]
    assert all(step["run"].startswith("gh ") for step in steps if "run" in step)


def test_every_file_is_attested_before_it_is_published() -> None:
    attest, create = RELEASE["jobs"]["publish"]["steps"][1:]
    assert attest["with"]["subject-path"] == "dist/*"
    assert create["run"].endswith(" dist/*")


def test_the_example_with_several_stacks_shares_the_limit_with_valid_parameters() -> None:
    page = (DOCS / "several-stacks.md").read_text()
    stacks = [dict(re.findall(r"(\w+)=(\d+)", row)) for row in re.findall(r"`(ZimCallsPerSecondLimit=[^`]*)`", page)]
    assert len(stacks) == 3
    assert sum(int(stack["ZimCallsPerSecondLimit"]) for stack in stacks) == 20
    for stack in stacks:
        assert rules_allow({**stack, "ZimSecretArn": f"{SECRETS}zim-AbCdEf"})
        for name, value in stack.items():
            assert re.fullmatch(TEMPLATE["Parameters"][name]["AllowedPattern"], value), (name, value)
        values = {name: int(value) for name, value in stack.items()}
        shares = [(values[f"{each}CallsPerSecond"], values[f"{each}Concurrency"]) for each in ("Api", "Queue")]
        assert sum(share for share, _ in shares) <= values["ZimCallsPerSecondLimit"]
        assert all(share % concurrency == 0 for share, concurrency in shares)
