"""Every relative link in the documentation leads to a file and a heading that exist; the README stays short."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[3]
_PAGES = [*_ROOT.glob("*.md"), *_ROOT.glob("packages/*/*.md"), *(_ROOT / "docs").rglob("*.md")]
_README_LINES = 300


def _text(page: Path) -> str:
    """Without code blocks."""
    return re.sub(r"^( *)```.*?^\1```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", _text(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _broken(page: Path) -> Iterator[str]:
    for target in re.findall(r"\]\(((?!https?:)[^)]+)\)", _text(page)):
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        if not linked.exists() or (anchor and anchor not in _anchors(linked)):
            yield target


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(_ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert list(_broken(page)) == []


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(_ROOT)))
def test_files_it_names_exist(page: Path) -> None:
    named = re.findall(r"`([a-z_*]+/[\w/*.]+\.(?:py|sql|yaml)|tests/[\w/.]+)`", page.read_text())
    assert [name for name in named if not _files(name)] == []


def _files(name: str) -> list[Path]:
    """In the project, or in the package; `NNN` stands for a number."""
    return [path for root in (_ROOT, _ROOT / "email_consumer") for path in root.glob(name.replace("NNN_name", "001*"))]


def test_every_page_is_linked_from_the_readme() -> None:
    linked = set(re.findall(r"\((docs/\w[\w-]*\.md)", (_ROOT / "README.md").read_text()))
    assert linked == {str(page.relative_to(_ROOT)) for page in (_ROOT / "docs").glob("*.md")}


def test_the_readme_is_short() -> None:
    assert len((_ROOT / "README.md").read_text().splitlines()) < _README_LINES
