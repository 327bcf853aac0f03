"""Wheels: those of our packages built from source, all others packed again from where they are installed."""

import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from zipfile import ZipFile

from packaging.tags import sys_tags

from tests.integration.packaging.lock import ROOT


def build(source: Path, directory: Path) -> Path:
    """The wheel of one of our packages."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    [wheel] = directory.glob(f"{source.name.replace('-', '_') if source != ROOT else 'email_consumer'}-[0-9]*.whl")
    return wheel


def pack(name: str, directory: Path) -> None:
    """The wheel of an installed distribution, so that no index is asked; nothing if this platform has none."""
    try:
        installed = distribution(name)
    except PackageNotFoundError:
        return
    stem = f"{installed.name.replace('-', '_').replace('.', '_')}-{installed.version}"
    records = []
    with ZipFile(directory / f"{stem}-{_tag(installed)}.whl", "w") as wheel:
        for source, target in _files(installed, stem):
            wheel.write(source, target)
            records.append(f"{target},,")
        record = f"{stem}.dist-info/RECORD"
        wheel.writestr(record, "\n".join([*records, f"{record},,", ""]))


def _tag(installed: Distribution) -> str:
    lines = (installed.read_text("WHEEL") or "").splitlines()
    tags = {line.removeprefix("Tag: ") for line in lines if line.startswith("Tag: ")}
    return next(str(tag) for tag in sys_tags() if str(tag) in tags)


def _files(installed: Distribution, stem: str) -> list[tuple[str, str]]:
    """Where each file is, and its place in the wheel."""
    generated = {each.name for each in installed.entry_points}
    found = []
    for path in installed.files or []:
        source = str(installed.locate_file(path))
        top = path.parts[0]
        if top == "..":
            if path.parent.name == "bin" and path.name not in generated:
                found.append((source, f"{stem}.data/scripts/{path.name}"))
        elif top.endswith(".dist-info"):
            if path.name not in {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}:
                found.append((source, "/".join((f"{stem}.dist-info", *path.parts[1:]))))
        elif "__pycache__" not in path.parts:
            found.append((source, str(path)))
    return found
