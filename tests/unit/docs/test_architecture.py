"""docs/architecture.md: its picture is the folder listing of email_consumer, in the layers that import-linter enforces."""

import re
import tomllib
from pathlib import Path

_ROOT = Path(__file__).parents[3]
_PACKAGE = _ROOT / "email_consumer"
_MOST_LINES = 300


def _pictured() -> list[set[str]]:
    """The names of each layer, from top to bottom."""
    text = (_ROOT / "docs" / "architecture.md").read_text()
    picture = text.partition("```\n")[2].partition("```")[0]
    return [set(re.findall(r"^(\w+)(?:/|\.py) +\S", layer, re.MULTILINE)) for layer in picture.split("\n\n")]


def test_the_picture_shows_the_layers_of_the_import_rules() -> None:
    contracts = tomllib.loads((_ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (each["layers"] for each in contracts if each["type"] == "layers" and len(each["containers"]) == 1)
    assert _pictured() == [set(re.split(r" [|:] ", layer)) for layer in layers]


def test_the_picture_is_the_folder_listing() -> None:
    folders = {path.parent.name for path in _PACKAGE.glob("*/__init__.py")}
    modules = {path.stem for path in _PACKAGE.glob("*.py")} - {"__init__"}
    assert set[str]().union(*_pictured()) == folders | modules


def test_the_files_of_the_hot_path_exist_and_can_be_read_in_one_go() -> None:
    text = (_ROOT / "docs" / "architecture.md").read_text()
    table = text.partition("the files of the hot path")[2].partition("\n\nOnly")[0]
    lines = {path: len((_PACKAGE / path).read_text().splitlines()) for path in re.findall(r"`([\w/]+\.py)`", table)}
    assert {"pipeline/pipeline.py", "ses/connection.py"} <= lines.keys()
    assert max(lines.values()) <= _MOST_LINES
