"""What is in the artifacts: all that each function needs, ready to run, nothing of one machine or one processor."""

import functools
import importlib.util
import marshal
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.artifact.runtime import BUILT, LAYER, ROOT, environment, imported

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
    for source in (function / "app.py", LAYER / "zim" / "outcome.py", LAYER / "botocore" / "client.py"):
        assert repr(str(bytecode_of(source))) in ours


@every_artifact
def test_every_source_has_bytecode_made_from_it_and_for_its_place_in_lambda(artifact: Path) -> None:
    place = Path("/var/task" if artifact in FUNCTIONS else "/opt")
    sources = list(artifact.rglob("*.py"))
    assert {bytecode_of(source) for source in sources} == {*artifact.rglob("*.pyc")} != set()
    for source in sources:
        bytecode = bytecode_of(source).read_bytes()
        assert bytecode[:4] == importlib.util.MAGIC_NUMBER
        assert int.from_bytes(bytecode[4:8], "little") == UNCHECKED_HASH
        assert bytecode[8:16] == importlib.util.source_hash(source.read_bytes())
        code = marshal.loads(bytecode[16:])  # noqa: S302 - what we built
        assert code.co_filename == str(place / source.relative_to(artifact))


def test_no_services_are_described_but_those_that_are_used() -> None:
    used = re.search(r"^BOTOCORE_SERVICES = (.+)$", LAYER_MAKEFILE, re.MULTILINE)
    assert used
    described = {path.name for path in (LAYER / "botocore" / "data").iterdir() if path.is_dir()}
    assert described == set(used[1].split())
    assert "secretsmanager" in described


@every_artifact
def test_nothing_is_compiled_for_one_processor(artifact: Path) -> None:
    compiled = re.compile(r"\.(so|pyd|dylib|dll|a)(\.|$)")
    assert [path for path in artifact.rglob("*") if compiled.search(path.name)] == []
    assert [wheel for wheel in artifact.rglob("WHEEL") if "Root-Is-Purelib: true" not in wheel.read_text()] == []


@every_artifact
def test_no_file_holds_the_place_it_was_built_in(artifact: Path) -> None:
    place = os.fsencode(ROOT)
    assert [name for name, content in files(artifact).items() if place in content] == []


def test_no_file_depends_on_where_the_interpreter_is() -> None:
    assert [record for record in LAYER.rglob("RECORD") if "../bin/" in record.read_text()] == []


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
