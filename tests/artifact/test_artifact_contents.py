"""What is in the artifacts: all that each function needs, ready to run, nothing of one machine or one processor."""

import functools
import importlib.util
import json
import marshal
import os
import re
import subprocess
from pathlib import Path

import boto3
import pytest

from local.lambda_runtime import BUILT, LAYER, PYTHON, environment
from local.stack import ROOT
from tests.artifact.runtime import imported

LAYER_MAKEFILE = (ROOT / "layers" / "zim" / "Makefile").read_text()
FUNCTIONS_MAKEFILE = (ROOT / "functions" / "Makefile").read_text()
FUNCTIONS = [BUILT / name for name in re.findall(r"^build-(\w+):", FUNCTIONS_MAKEFILE, re.MULTILINE)]
ARTIFACTS = [*FUNCTIONS, LAYER.parent]

UNCHECKED_HASH = 0b01
"""The flags of bytecode that is used as it is, without a look at its source (PEP 552)."""

every_function = pytest.mark.parametrize("function", FUNCTIONS, ids=lambda path: path.name)
every_artifact = pytest.mark.parametrize("artifact", ARTIFACTS, ids=lambda path: path.name)


@functools.cache
def started_alone(function: Path) -> subprocess.CompletedProcess[str]:
    """Start a function without site-packages, not even awslambdaric's; Python says where each module comes from."""
    settings = environment(
        PYTHONPATH=f"{function}:{LAYER}",
        ZIM_API_BASE_URL="http://127.0.0.1",
        QUEUE_URL="http://127.0.0.1/queue",
        DEAD_LETTER_QUEUE_URL="http://127.0.0.1/dead-letter-queue",
    )
    return imported(settings, "-S", "-v")


def bytecode_of(source: Path) -> Path:
    return Path(importlib.util.cache_from_source(str(source)))


def files(artifact: Path) -> dict[str, bytes]:
    return {str(file.relative_to(artifact)): file.read_bytes() for file in artifact.rglob("*") if file.is_file()}


@every_function
def test_a_function_needs_nothing_but_the_artifacts_and_the_standard_library(function: Path) -> None:
    done = started_alone(function)
    assert done.returncode == 0, done.stderr.splitlines()[-1]


@every_function
def test_every_module_of_ours_is_loaded_from_bytecode(function: Path) -> None:
    loaded = re.findall(r"^# code object from (.*)$", started_alone(function).stderr, re.MULTILINE)
    ours = {name for name in loaded if str(BUILT) in name}
    assert {name for name in ours if not name.endswith(".pyc'")} == set()
    for bytecode in (
        bytecode_of(function / "app.py"),
        bytecode_of(LAYER / "zim" / "outcome.py"),
        LAYER / "botocore" / "client.pyc",
    ):
        assert repr(str(bytecode)) in ours


NOT_IMPORTED = {
    "CallRejectFunction": {"boto3", "multiprocessing", "aws_lambda_powertools.utilities.batch"},
    "CallRejectAsyncFunction": {"boto3", "multiprocessing", "requests", "zim.credentials", "zim.rate_limit"},
    "CallRejectQueueFunction": {"boto3", "multiprocessing", "http_api"},
}


@every_function
def test_a_cold_start_imports_nothing_that_the_function_does_not_use(function: Path) -> None:
    imported_ = set(re.findall(r"^import '([\w.]+)'", started_alone(function).stderr, re.MULTILINE))
    assert "botocore.session" in imported_
    assert imported_ & NOT_IMPORTED[function.name] == set()


def checked(bytecode: Path, source: Path, artifact: Path) -> bytes:
    """Check that bytecode is used as it is and names the place of its source in Lambda; return its source's hash."""
    place = Path("/var/task" if artifact in FUNCTIONS else "/opt")
    content = bytecode.read_bytes()
    assert content[:4] == importlib.util.MAGIC_NUMBER
    assert int.from_bytes(content[4:8], "little") == UNCHECKED_HASH
    code = marshal.loads(content[16:])  # noqa: S302 - what we built
    assert code.co_filename == str(place / source.relative_to(artifact))
    return content[8:16]


@every_artifact
def test_every_source_of_ours_is_there_with_bytecode_made_from_it(artifact: Path) -> None:
    sources = list(artifact.rglob("*.py"))
    assert {bytecode_of(source) for source in sources} == {*artifact.rglob("__pycache__/*.pyc")} != set()
    for source in sources:
        assert checked(bytecode_of(source), source, artifact) == importlib.util.source_hash(source.read_bytes())


def test_every_dependency_is_there_as_bytecode_alone() -> None:
    ours = {*(LAYER / "zim").rglob("*")}
    dependencies = {*LAYER.rglob("*.pyc")} - ours
    assert {*LAYER.rglob("*.py")} <= ours
    assert {"botocore", "requests", "aws_lambda_powertools"} <= {
        path.relative_to(LAYER).parts[0] for path in dependencies
    }
    for bytecode in dependencies:
        checked(bytecode, bytecode.with_suffix(".py"), LAYER.parent)


def test_no_services_are_described_but_those_that_are_used() -> None:
    used = re.search(r"^BOTOCORE_SERVICES = (.+)$", LAYER_MAKEFILE, re.MULTILINE)
    assert used
    data = LAYER / "botocore" / "data"
    described = {path.name for path in data.iterdir() if path.is_dir()}
    assert described == set(used[1].split())
    assert "secretsmanager" in described
    endpoints = json.loads((data / "endpoints.json").read_text())["partitions"]
    assert {service for partition in endpoints for service in partition["services"]} == described


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1", "ap-southeast-7"])
@pytest.mark.parametrize("service", ["secretsmanager", "sqs"])
def test_a_client_finds_its_service_in_every_partition_as_the_untrimmed_sdk_does(service: str, region: str) -> None:
    client = boto3.client(service, region, aws_access_key_id="made-up", aws_secret_access_key="made-up")
    found = subprocess.run(
        [*PYTHON, "-c", f"from zim.aws import client; print(client({service!r}).meta.endpoint_url)"],
        env=environment(AWS_REGION=region, AWS_DEFAULT_REGION=region),
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == client.meta.endpoint_url


@every_artifact
def test_nothing_is_compiled_for_one_processor(artifact: Path) -> None:
    compiled = re.compile(r"\.(so|pyd|dylib|dll|a)(\.|$)")
    assert [path for path in artifact.rglob("*") if compiled.search(path.name)] == []
    assert [wheel for wheel in artifact.rglob("WHEEL") if "Root-Is-Purelib: true" not in wheel.read_text()] == []


@every_artifact
def test_no_file_holds_the_place_it_was_built_in(artifact: Path) -> None:
    place = os.fsencode(ROOT)
    assert [name for name, content in files(artifact).items() if place in content] == []


def test_no_file_tells_the_hashes_of_what_was_taken_out() -> None:
    assert [*LAYER.rglob("RECORD")] == []


@every_artifact
def test_two_builds_are_the_same_byte_for_byte(artifact: Path, tmp_path: Path) -> None:
    folder = ROOT / ("functions" if artifact in FUNCTIONS else "layers/zim")
    again = tmp_path / "again"
    again.mkdir()
    path = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    subprocess.run(
        ["make", "-C", folder, f"build-{artifact.name}", f"ARTIFACTS_DIR={again}"],  # noqa: S607 - whichever make it is
        env={**os.environ, "PATH": path, "MAKEFLAGS": ""},
        check=True,
        capture_output=True,
    )
    built, rebuilt = files(artifact), files(again)
    assert [name for name in built.keys() | rebuilt.keys() if built.get(name) != rebuilt.get(name)] == []
