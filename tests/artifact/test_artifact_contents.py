"""The contents of the artifacts: complete, compiled to bytecode, and independent of machine and processor."""

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

from local.lambda_runtime import LAYER, PYTHON, environment
from tests.support.paths import BUILT, LAYER_SOURCE, ROOT

LAYER_MAKEFILE = (LAYER_SOURCE / "Makefile").read_text()
BUILT_FUNCTIONS = sorted(BUILT.glob("*Function"))
ARTIFACTS = [*BUILT_FUNCTIONS, LAYER.parent]

UNCHECKED_HASH = 0b01
"""The flags of bytecode that Python loads without checking its source. See https://peps.python.org/pep-0552/."""

REGIONS = ["us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1", "ap-southeast-7"]
PRINT_ENDPOINTS = """
import os, sys
from zim.aws import client
for region in sys.argv[2:]:
    os.environ["AWS_DEFAULT_REGION"] = region
    print(client(sys.argv[1]).meta.endpoint_url)
"""

every_function = pytest.mark.parametrize("function", BUILT_FUNCTIONS, ids=lambda path: path.name)
every_artifact = pytest.mark.parametrize("artifact", ARTIFACTS, ids=lambda path: path.name)


@functools.cache
def import_alone(function: Path) -> subprocess.CompletedProcess[str]:
    """Import a function without site-packages, with a log of where each module comes from (python -v)."""
    settings = environment(
        PYTHONPATH=f"{function}:{LAYER}",
        ZIM_API_BASE_URL="http://127.0.0.1",
        QUEUE_URL="http://127.0.0.1/queue",
        DEAD_LETTER_QUEUE_URL="http://127.0.0.1/dead-letter-queue",
    )
    command = [*PYTHON, "-S", "-v", "-c", "import app"]
    return subprocess.run(command, env=settings, capture_output=True, text=True, check=False)


def bytecode_of(source: Path) -> Path:
    return Path(importlib.util.cache_from_source(str(source)))


def files(artifact: Path) -> dict[str, bytes]:
    return {str(file.relative_to(artifact)): file.read_bytes() for file in artifact.rglob("*") if file.is_file()}


@every_function
def test_a_function_contains_only_its_handler(function: Path) -> None:
    handler = function / "app.py"
    assert {path for path in function.rglob("*") if path.is_file()} == {handler, bytecode_of(handler)}


@every_function
def test_a_function_needs_only_the_artifacts_and_the_standard_library(function: Path) -> None:
    completed = import_alone(function)
    assert completed.returncode == 0, completed.stderr.splitlines()[-1]


@every_function
def test_every_module_in_the_artifacts_is_loaded_from_bytecode(function: Path) -> None:
    loaded = re.findall(r"^# code object from (.*)$", import_alone(function).stderr, re.MULTILINE)
    from_artifacts = {name for name in loaded if str(BUILT) in name}
    assert {name for name in from_artifacts if not name.endswith(".pyc'")} == set()
    for bytecode in (
        bytecode_of(function / "app.py"),
        bytecode_of(LAYER / "zim" / "errors.py"),
        LAYER / "botocore" / "client.pyc",
    ):
        assert repr(str(bytecode)) in from_artifacts


NOT_IMPORTED = {
    "CallRejectFunction": {"boto3", "multiprocessing", "aws_lambda_powertools.utilities.batch"},
    "CallRejectAsyncFunction": {
        "boto3",
        "multiprocessing",
        "requests",
        "zim.credentials",
        "zim.rate_limit",
        "zim.return_codes",
    },
    "CallRejectQueueFunction": {"boto3", "multiprocessing", "zim.http_api"},
}


@every_function
def test_a_cold_start_imports_no_module_that_the_function_does_not_use(function: Path) -> None:
    imported = set(re.findall(r"^import '([\w.]+)'", import_alone(function).stderr, re.MULTILINE))
    assert {"botocore.session", "aws_lambda_powertools.utilities.validation"} <= imported
    assert imported & NOT_IMPORTED[function.name] == set()


def source_hash_in(bytecode: Path, source: Path, artifact: Path) -> bytes:
    """Check that bytecode is loaded unchecked and names its source's path in Lambda, and return the source's hash."""
    folder = Path("/var/task" if artifact in BUILT_FUNCTIONS else "/opt")
    content = bytecode.read_bytes()
    assert content[:4] == importlib.util.MAGIC_NUMBER
    assert int.from_bytes(content[4:8], "little") == UNCHECKED_HASH
    code = marshal.loads(content[16:])  # noqa: S302 - what we built
    assert code.co_filename == str(folder / source.relative_to(artifact))
    return content[8:16]


@every_artifact
def test_every_source_has_bytecode_that_was_compiled_from_it(artifact: Path) -> None:
    sources = list(artifact.rglob("*.py"))
    assert {bytecode_of(source) for source in sources} == {*artifact.rglob("__pycache__/*.pyc")} != set()
    for source in sources:
        expected = importlib.util.source_hash(source.read_bytes())
        assert source_hash_in(bytecode_of(source), source, artifact) == expected


def test_dependencies_contain_only_bytecode() -> None:
    ours = {*(LAYER / "zim").rglob("*")}
    dependencies = {*LAYER.rglob("*.pyc")} - ours
    assert {*LAYER.rglob("*.py")} <= ours
    packages = {path.relative_to(LAYER).parts[0] for path in dependencies}
    assert {"botocore", "requests", "aws_lambda_powertools"} <= packages
    for bytecode in dependencies:
        source_hash_in(bytecode, bytecode.with_suffix(".py"), LAYER.parent)


def test_botocore_contains_only_the_services_in_use() -> None:
    used = re.search(r"^BOTOCORE_SERVICES = (.+)$", LAYER_MAKEFILE, re.MULTILINE)
    assert used
    data = LAYER / "botocore" / "data"
    services = {path.name for path in data.iterdir() if path.is_dir()}
    assert services == set(used[1].split())
    assert "secretsmanager" in services
    endpoints = json.loads((data / "endpoints.json").read_text())["partitions"]
    assert {service for partition in endpoints for service in partition["services"]} == services


@pytest.mark.parametrize("service", ["secretsmanager", "sqs"])
def test_a_service_has_the_same_endpoint_in_every_partition_as_in_the_complete_sdk(service: str) -> None:
    completed = subprocess.run(
        [*PYTHON, "-c", PRINT_ENDPOINTS, service, *REGIONS],
        env=environment(AWS_REGION=None),
        capture_output=True,
        text=True,
        check=True,
    )
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test")
    assert completed.stdout.split() == [session.client(service, region).meta.endpoint_url for region in REGIONS]


@every_artifact
def test_no_file_is_compiled_for_a_processor(artifact: Path) -> None:
    compiled = re.compile(r"\.(so|pyd|dylib|dll|a)(\.|$)")
    assert [path for path in artifact.rglob("*") if compiled.search(path.name)] == []
    assert [wheel for wheel in artifact.rglob("WHEEL") if "Root-Is-Purelib: true" not in wheel.read_text()] == []


@every_artifact
def test_no_file_contains_the_path_of_the_build_machine(artifact: Path) -> None:
    path = os.fsencode(ROOT)
    assert [name for name, content in files(artifact).items() if path in content] == []


def test_there_are_no_hashes_of_removed_files() -> None:
    assert [*LAYER.rglob("RECORD")] == []
