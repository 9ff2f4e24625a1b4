"""Write the zip files and the template of a release: python -m local.package <output of sam build> <folder>.

The bytes depend only on the contents of the build. Entries are sorted and have a fixed time and mode, and are not
compressed, because the output of zlib depends on its version.
"""

import shutil
import sys
import zipfile
from pathlib import Path

from local.paths import ROOT

_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can contain."""
_MODE = 0o100644 << 16
"""A regular file that everyone can read, as Lambda requires."""
_LINKED = ("LICENSE", "README.md")
"""The files that the metadata for the AWS Serverless Application Repository refers to."""


def write_zip(folder: Path, file: Path) -> None:
    """Write the files of a folder to a zip file."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _TIME)
            entry.create_system = 3  # Unix
            entry.external_attr = _MODE
            archive.writestr(entry, path.read_bytes())


def package(build: Path, release: Path) -> None:
    """Write one zip file for each artifact, and a template that refers to them.

    Parameters
    ----------
    build
        the output of `sam build`.
    release
        an existing folder.
    """
    template = (build / "template.yaml").read_text()
    for artifact in sorted(each for each in build.iterdir() if each.is_dir()):
        write_zip(artifact, release / f"{artifact.name}.zip")
        for member in ("CodeUri", "ContentUri"):
            template = template.replace(f"{member}: {artifact.name}\n", f"{member}: {artifact.name}.zip\n")
    for name in _LINKED:
        shutil.copyfile(ROOT / name, release / name)
        template = template.replace(f": ../../{name}\n", f": {name}\n")
    (release / "template.yaml").write_text(template)


if __name__ == "__main__":
    package(Path(sys.argv[1]), Path(sys.argv[2]))
