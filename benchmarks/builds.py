"""What is compared: our function, the same sources built by SAM's own Python build, and the floor built as ours is."""

import os
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local.lambda_runtime import BUILT, LAYER
from local.processes import run
from local.stack import ROOT, SAM

FLOOR = ROOT / "benchmarks" / "floor"
SAM_TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  ZimLayer:
    Type: AWS::Serverless::LayerVersion
    Metadata: {BuildMethod: python3.13}
    Properties: {ContentUri: layer, CompatibleRuntimes: [python3.13]}
  CallRejectFunction:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: function, Handler: app.handler, Runtime: python3.13, Layers: [!Ref ZimLayer]}
"""


@dataclass(frozen=True)
class Build:
    """A function and its layer, as they would be in `/var/task` and `/opt/python`."""

    function: Path
    layer: Path

    @property
    def python_path(self) -> str:
        """Where the runtime would look for modules, what the function has first."""
        return f"{self.function}:{self.layer}"


OURS = Build(BUILT / "CallRejectFunction", LAYER)
ASYNC = Build(BUILT / "CallRejectAsyncFunction", LAYER)


def built_by_sam(folder: Path) -> Build:
    """Build our sources as `sam build` does of itself: no bytecode, and everything that is in the dependencies."""
    shutil.copytree(ROOT / "layers" / "zim" / "zim", folder / "layer" / "zim", ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(ROOT / "layers" / "zim" / "requirements.txt", folder / "layer")
    (folder / "function").mkdir()
    for source in ("call_reject/app.py", "http_api.py"):
        shutil.copy(ROOT / "functions" / source, folder / "function")
    (folder / "template.yaml").write_text(SAM_TEMPLATE)
    command: list[str | Path] = [
        SAM,
        "build",
        "--template-file",
        folder / "template.yaml",
        "--build-dir",
        folder / "built",
    ]
    run(command, environment=_environment(folder), log=folder / "sam.log")
    return Build(folder / "built" / "CallRejectFunction", folder / "built" / "ZimLayer" / "python")


def floor(folder: Path) -> Build:
    """Build the floor with the layer's own Makefile: bytecode, trimmed botocore."""
    command = [
        "make",
        f"--directory={ROOT / 'layers' / 'zim'}",
        "build-ZimLayer",
        f"ARTIFACTS_DIR={folder}",
        f"REQUIREMENTS={FLOOR / 'requirements.txt'}",
    ]
    run(command, environment=_environment(folder), log=folder / "make.log")
    shutil.rmtree(folder / "python" / "zim")
    (folder / "function").mkdir()
    shutil.copy(FLOOR / "app.py", folder / "function")
    compile_all: list[str | Path] = [
        "python3.13",
        "-m",
        "compileall",
        "-q",
        "--invalidation-mode",
        "unchecked-hash",
        folder / "function",
    ]
    run(compile_all, environment=_environment(folder), log=folder / "compile.log")
    return Build(folder / "function", folder / "python")


def _environment(folder: Path) -> dict[str, str]:
    path = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "MAKEFLAGS": "", "SAM_CLI_TELEMETRY": "0", "TMPDIR": str(folder)}


def sizes(folders: Sequence[Path]) -> tuple[int, int]:
    """Return how many bytes these folders have zipped, each by itself as SAM does it, and unzipped."""
    zipped = unzipped = 0
    for folder in folders:
        with tempfile.TemporaryFile() as archive:
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zip_file:
                for file in sorted(folder.rglob("*")):
                    zip_file.write(file, file.relative_to(folder))
            zipped += archive.tell()
        unzipped += sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return zipped, unzipped
