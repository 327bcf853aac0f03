"""Words that don't belong here: turns of phrase that betray a translation, and names that were replaced.

Documentation, settings, deployment files and log hints are checked. So is each package, ses_sandbox included
(docstrings, comments, messages, identifiers). `.venv/bin/python -m tests.unit.docs.test_words` prints the findings.

What stands in backticks is a name and is not checked, so streams, buckets, tables and keys that keep an old name for
compatibility can be written about: `<STREAM>-facts`.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[3]
_PACKAGE = _ROOT / "email_consumer"

_PHRASES = [
    r"anew",
    r"mend(s|ed|ing)?",
    r"so many",
    r"who(so)?ever",
    r"none of",
    r"(is|are) none",
    r"by (itself|themselves)",
    r"beside",
    r"behind(?! (a|the|your) (reverse )?proxy)",
    r"told",
    r"shall",
    r"deeds?",
    r"of (its|their|our) own",
]
_OLD_NAMES = [
    r"tenancy",
    r"facts",
    r"in hand",
    r"inheritance",
    r"glances?",
    r"outlets?",
    r"desks?",
    r"porch",
    r"wire form",
    r"shown queue",
    r"queue state",
    r"un-?buried",
    r"burials?",
]
_WORDS = re.compile(rf"\b({'|'.join(_PHRASES + _OLD_NAMES)})\b", re.IGNORECASE)

_OLD_IDENTIFIERS = re.compile(
    r"(^|_)(tenancy|facts|in_hand|inheritance|glance|outlet|desk|porch|wire_form|queue_state|shown_queue|burial|buried|unburied|bury|told|tell|tells|telling|anew"
    r"|whoever|mend)(_|$)"
)
_KEPT_IDENTIFIERS = {"tell"}
"""Names of stored keys and tables; `tell` of a file, or of msgpack's unpacker."""

_HARNESS = re.compile(r"_?(\w+_)?(stage|site|worlds?|scene|crew|door|knowledge|hands?)", re.IGNORECASE)
_SIMULATION = "tests/simulation/"
"""Models a world with its sites, so these words are in their place there."""
_OTHER_NAMES = (
    _SIMULATION,
    "tests/servers/",
    "tests/integration/aws/test_strangers.py",
    "tests/acceptance/test_sqs.py",
)
_SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|DROP|FROM|WHERE|PRAGMA)\b")

_PAGES = [
    *_ROOT.glob("*.md"),
    *_ROOT.glob("packages/*/*.md"),
    *(_ROOT / "docs").rglob("*.md"),
    *(_ROOT / ".github").rglob("*.md"),
    *(_ROOT / "deploy").rglob("*.yaml"),
    _ROOT / ".env.sample",
    _ROOT / "run.sh",
    _ROOT / "Dockerfile",
]
_NOT_YET_CLEANED_PAGES = {
    "CHANGELOG.md",
}
"""Pages, or folders of pages. CHANGELOG.md stays: it is about former versions, too."""
_PACKAGES = {
    path.parent.name: path.parent
    for path in (*_PACKAGE.glob("*/__init__.py"), *_ROOT.glob("packages/*/*/__init__.py"))
    if path.parent.name != "tests"
}


def _words(text: str) -> list[str]:
    plain = re.sub(r"```.*?```|`[^`\n]*`", "``", text, flags=re.DOTALL)
    plain = re.sub(r"\s*\n[\s#|*]*", " ", plain)
    return [plain[max(0, match.start() - 30) : match.end() + 20] for match in _WORDS.finditer(plain)]


def _log_calls(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("_log."):
            yield from (part for keyword in node.keywords for part in _prose(keyword.value))


def _prose(tree: ast.AST) -> Iterator[str]:
    """Strings for people: they have a space, and are no SQL."""
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if " " in text and not _SQL.match(text):
                yield text


def _comments(source: str) -> str:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return "\n".join(token.string for token in tokens if token.type == tokenize.COMMENT)


def _identifiers(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
            case ast.arg(arg=name) | ast.Name(id=name) | ast.Attribute(attr=name):
                yield name.lower()


def _findings(package: str) -> Iterator[str]:
    for path in sorted(_PACKAGES[package].rglob("*.py")):
        source, name = path.read_text(), path.relative_to(_ROOT)
        tree = ast.parse(source)
        for text in (*_prose(tree), _comments(source)):
            yield from (f"{name}: {word}" for word in _words(text))
        found = {each for each in _identifiers(tree) if _OLD_IDENTIFIERS.search(each)} - _KEPT_IDENTIFIERS
        yield from (f"{name}: {word}" for word in sorted(found))
    for path in _PACKAGES[package].rglob("*.[jh][st]*"):
        if "vendor" not in path.parts:
            yield from (f"{path.relative_to(_ROOT)}: {word}" for word in _words(path.read_text()))


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(_ROOT)))
def test_documentation_and_settings(page: Path) -> None:
    path = page.relative_to(_ROOT)
    if not {str(path), str(path.parent)} & _NOT_YET_CLEANED_PAGES:
        assert _words(page.read_text()) == []


def test_harnesses() -> None:
    """What a test runs in is a harness, in modules and classes alike."""
    sources = [path for folder in ("tests", "benchmarks", "packages") for path in (_ROOT / folder).rglob("*.py")]
    names = {(path, path.stem) for path in sources}
    for path in sources:
        names |= {(path, node.name) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)}
    found = {str(path.relative_to(_ROOT)): name for path, name in names if _HARNESS.fullmatch(name)}
    found = {path: name for path, name in found.items() if not path.startswith(_SIMULATION)}
    assert found == {}


def test_names_in_tests() -> None:
    paths = [path for folder in ("tests", "benchmarks", "packages") for path in (_ROOT / folder).rglob("*.py")]
    found = set()
    for path in paths:
        name = str(path.relative_to(_ROOT))
        if not name.startswith(_OTHER_NAMES):
            names = {each for each in _identifiers(ast.parse(path.read_text())) if _OLD_IDENTIFIERS.search(each)}
            found |= {f"{name}: {each}" for each in names}
    assert found == set()


def test_log_hints() -> None:
    hints = {str(path.relative_to(_ROOT)): list(_log_calls(path)) for path in _PACKAGE.rglob("*.py")}
    found = {path: [word for text in texts for word in _words(text)] for path, texts in hints.items()}
    assert {path: words for path, words in found.items() if words} == {}


@pytest.mark.parametrize("package", sorted(_PACKAGES))
def test_package(package: str) -> None:
    assert list(_findings(package)) == []


if __name__ == "__main__":
    for each in _PACKAGES:
        left = list(_findings(each))
        print(f"{each}: {len(left)}", *left, sep="\n  ")  # noqa: T201 - its output
