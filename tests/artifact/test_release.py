"""The files of a release: the same bytes from the same commit anywhere, complete, and described."""

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse

from local.lambda_runtime import LAYER
from tests.support.paths import BUILT, LAYER_SOURCE, ROOT

ANOTHER_TIME = 1_000_000_000
FILES = {
    *("CallRejectAsyncFunction.zip", "CallRejectFunction.zip", "CallRejectQueueFunction.zip", "ZimLayer.zip"),
    *("LICENSE", "README.md", "SHA256SUMS", "sbom.cdx.json", "template.yaml"),
}


def run_make(folder: Path, *arguments: str, **variables: str) -> None:
    command = ["make", "-C", str(folder), *arguments]
    completed = subprocess.run(
        command,
        env={**os.environ, "MAKEFLAGS": "", **variables},
        check=False,
        capture_output=True,
        text=True,
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr


@contextmanager
def umask(value: int) -> Iterator[None]:
    previous = os.umask(value)
    try:
        yield
    finally:
        os.umask(previous)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release") / "dist"
    run_make(ROOT, "package", f"DIST={folder}")
    return folder


def copy_sources(folder: Path) -> None:
    """Copy the files of the repository as another person has them: with other times, and without a build."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - git from the PATH
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
            os.utime(folder / name, (ANOTHER_TIME, ANOTHER_TIME))
    for environment in (".venv", ".venv-sam"):
        (folder / environment).symlink_to(ROOT / environment)


def test_two_builds_in_different_folders_and_times_are_identical(release: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "longer-path" / "repository"
    folder.mkdir(parents=True)
    with umask(0o077):
        copy_sources(folder)
        run_make(folder, "package", TZ="Pacific/Auckland", PYTHONHASHSEED="1")
    first, second = ({file.name: file.read_bytes() for file in place.iterdir()} for place in (release, folder / "dist"))
    assert first.keys() == FILES
    assert [name for name in first.keys() | second.keys() if first.get(name) != second.get(name)] == []


def test_the_checksums_are_those_of_all_other_files(release: Path) -> None:
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    subprocess.run(command, cwd=release, check=True, capture_output=True)
    listed = [line.split()[1] for line in (release / "SHA256SUMS").read_text().splitlines()]
    assert listed == sorted(FILES - {"SHA256SUMS"})


def test_the_zip_files_contain_the_build(release: Path) -> None:
    artifacts = [each for each in BUILT.iterdir() if each.is_dir()]
    assert {f"{artifact.name}.zip" for artifact in artifacts} == {name for name in FILES if name.endswith(".zip")}
    for artifact in artifacts:
        with zipfile.ZipFile(release / f"{artifact.name}.zip") as archive:
            assert archive.testzip() is None
            contents = {entry.filename: archive.read(entry) for entry in archive.infolist()}
            assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}
        files = {str(each.relative_to(artifact)): each.read_bytes() for each in artifact.rglob("*") if each.is_file()}
        assert contents == files


def test_the_template_differs_from_the_built_one_only_in_its_files(release: Path) -> None:
    template, built = (yaml_parse((folder / "template.yaml").read_text()) for folder in (release, BUILT))
    referenced = set()
    for name, resource in built["Resources"].items():
        for member in {"CodeUri", "ContentUri"} & resource["Properties"].keys():
            referenced.add(template["Resources"][name]["Properties"].pop(member))
            del resource["Properties"][member]
    for member in ("LicenseUrl", "ReadmeUrl"):
        referenced.add(template["Metadata"]["AWS::ServerlessRepo::Application"].pop(member))
        del built["Metadata"]["AWS::ServerlessRepo::Application"][member]
    assert template == built
    assert referenced == FILES - {"SHA256SUMS", "sbom.cdx.json", "template.yaml"}


def test_the_sbom_lists_exactly_the_packages_in_the_layer_with_their_hashes(release: Path) -> None:
    sbom = json.loads((release / "sbom.cdx.json").read_text())
    assert (sbom["bomFormat"], sbom["metadata"]["component"]["name"]) == ("CycloneDX", "call-reject")
    listed = {(each["name"].replace("-", "_"), each["version"]) for each in sbom["components"]}
    assert listed == {tuple(each.name.removesuffix(".dist-info").split("-")) for each in LAYER.glob("*.dist-info")}
    pinned = set(re.findall(r"--hash=sha256:(\w+)", (LAYER_SOURCE / "requirements.txt").read_text()))
    references = [each for component in sbom["components"] for each in component["externalReferences"]]
    assert {each["content"] for reference in references for each in reference["hashes"]} == pinned
