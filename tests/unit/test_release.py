"""The release workflow and the release notes. tests/artifact/test_release.py tests the files of a release."""

import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from local.processes import LocalError
from local.release_notes import notes
from tests.support.paths import ROOT

CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
NEWEST = re.findall(r"^## \[([\d.]+)\]", CHANGELOG, re.MULTILINE)[0]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
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


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit_and_name_their_version(workflow: Any) -> None:
    used = re.findall(r"uses: (.*)", workflow.read_text())
    assert used
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each) for each in used)


def test_an_action_has_the_same_version_in_all_workflows() -> None:
    used = {line for workflow in WORKFLOWS for line in re.findall(r"uses: (\S+)", workflow.read_text())}
    assert len({each.partition("@")[0] for each in used}) == len(used)
