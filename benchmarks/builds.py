"""The builds to compare: the project's functions, the same sources built by SAM's Python builder, and the floor."""

import compileall
import os
import py_compile
import shutil
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from local.lambda_runtime import LAYER
from local.paths import BUILT, ROOT
from local.processes import run
from local.stack import SAM

FLOOR = ROOT / "benchmarks" / "floor"
LIMIT = ROOT / "benchmarks" / "limit"
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
    """The folders that Lambda mounts as `/var/task` and `/opt/python`."""

    function: Path
    layer: Path

    @property
    def python_path(self) -> str:
        """The value of PYTHONPATH: the function's modules come first, as in Lambda."""
        return f"{self.function}:{self.layer}"


CALL_REJECT = Build(BUILT / "CallRejectFunction", LAYER)
CALL_REJECT_ASYNC = Build(BUILT / "CallRejectAsyncFunction", LAYER)


def build_with_sam(folder: Path) -> Build:
    """Build the sources with `sam build` and its default Python builder: no bytecode, all of botocore's data."""
    (folder / "function").mkdir(parents=True)
    shutil.copytree(ROOT / "layers" / "zim" / "zim", folder / "layer" / "zim", ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(ROOT / "layers" / "zim" / "requirements.txt", folder / "layer")
    shutil.copy(ROOT / "functions" / "call_reject" / "app.py", folder / "function")
    template, output = folder / "template.yaml", folder / "built"
    template.write_text(SAM_TEMPLATE)
    command: list[str | Path] = [SAM, "build", "--template-file", template, "--build-dir", output]
    run(command, environment=_environment(folder), log=folder / "sam.log")
    return Build(output / "CallRejectFunction", output / "ZimLayer" / "python")


def build_floor(folder: Path) -> Build:
    """Build the floor with the layer's Makefile: bytecode, trimmed botocore."""
    directory, requirements = ROOT / "layers" / "zim", FLOOR / "requirements.txt"
    command = ["make", f"--directory={directory}", "build-ZimLayer"]
    variables = [f"ARTIFACTS_DIR={folder}", f"REQUIREMENTS={requirements}"]
    folder.mkdir()
    run([*command, *variables], environment=_environment(folder), log=folder / "make.log")
    shutil.rmtree(folder / "python" / "zim")
    return Build(_compile(FLOOR, folder / "floor"), folder / "python")


def build_limit(folder: Path, floor: Build) -> Build:
    """Build the limit, which uses the layer of the floor."""
    return Build(_compile(LIMIT, folder), floor.layer)


def trust(build: Build, certificate: str, folder: Path) -> Build:
    """Return a copy of a build whose layer trusts another CA: certifi and botocore each have a list of CAs."""
    layer = shutil.copytree(build.layer, folder)
    for authorities in layer.rglob("cacert.pem"):
        with authorities.open("a") as file:
            file.write(certificate)
    return Build(build.function, layer)


def _compile(source: Path, folder: Path) -> Path:
    folder.mkdir(parents=True)
    shutil.copy(source / "app.py", folder)
    compileall.compile_dir(folder, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    return folder


def _environment(folder: Path) -> dict[str, str]:
    path = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "MAKEFLAGS": "", "SAM_CLI_TELEMETRY": "0", "TMPDIR": str(folder)}


def package_size(folders: Iterable[Path]) -> dict[str, int]:
    """Return the bytes of these folders, zipped (one archive each, as SAM does) and unzipped."""
    zipped = unzipped = 0
    for folder in folders:
        with tempfile.TemporaryFile() as archive:
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zip_file:
                for file in sorted(folder.rglob("*")):
                    zip_file.write(file, file.relative_to(folder))
            zipped += archive.tell()
        unzipped += sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return {"zipped": zipped, "unzipped": unzipped}
