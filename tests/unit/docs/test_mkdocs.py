"""The documentation as a site: it is built without a warning, and no link or image leads nowhere."""

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from email_consumer.cli import main

_ROOT = Path(__file__).parents[3]


class _References(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {value for name, value in attrs if name in {"href", "src", "srcset"} and value and tag != "link"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site")
    command = ["-m", "mkdocs", "build", "--strict", "--config-file", str(_ROOT / "docs" / "site" / "mkdocs.yml")]
    built = subprocess.run(
        [sys.executable, *command, "--site-dir", str(directory)],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )
    assert built.returncode == 0, built.stderr
    return directory


def test_no_reference_leads_nowhere(site: Path) -> None:
    pages = [page for page in site.rglob("*.html") if page.name != "404.html"]
    assert len(pages) > 40
    for page in pages:
        references = _References()
        references.feed(page.read_text())
        for reference in map(urlsplit, references.found):
            if not reference.scheme and reference.path:
                assert (page.parent / unquote(reference.path)).exists(), (page, reference.path)


def test_commands_are_those_of_the_program(site: Path) -> None:
    page = (site / "cli.html").read_text()
    with main.make_context("email-consumer", ["--help"], resilient_parsing=True) as context:
        commands = main.list_commands(context)
    assert commands
    assert all(f"email-consumer {command}" in page for command in commands)


def test_metrics_are_those_of_the_program(site: Path) -> None:
    page = (site / "metrics.html").read_text()
    for name in ("email_received_total", "email_ses_call_seconds", "email_tenant_held_mails", "email_quota_limit"):
        assert f"<code>{name}</code>" in page


def test_language_models_find_every_page(site: Path) -> None:
    listed = (site / "llms.txt").read_text()
    pages = {str(page.relative_to(site)) for page in site.rglob("*.html")} - {"404.html"}
    assert {page for page in pages if f"]({page})" not in listed} == set()
