"""What the site needs besides `docs/`: the repository's other pages and linked files, the references of commands and metrics, `llms.txt`."""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page

from email_consumer.cli import main
from email_consumer.core.metrics import Metrics
from email_consumer.observe.metrics import create_registry
from email_consumer.observe.sampled_metrics import SampledMetrics, SampledMetricsCollector

_ROOT = Path(__file__).parents[2]
_PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "packages/*/README.md")
_ASSETS = ("LICENSE", ".env.sample", "deploy/**/*")
_LINK = re.compile(r'(?P<before>\]\(|src="|srcset=")(?!https?:|mailto:|#)(?P<path>[^)"#]+)')


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what lies outside `docs/`."""
    for pattern in (*_PAGES, *_ASSETS):
        for path in sorted(_ROOT.glob(pattern)):
            if path.is_file():
                files.append(File.generated(config, _uri(_name(path)), abs_src_path=str(path)))
    files.append(File.generated(config, "cli.md", content=_command_reference()))
    files.append(File.generated(config, "metrics.md", content=_metrics_reference()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - MkDocs' names
    """Links are written for the repository; make them point to where the site has their targets."""
    origin = page.file.generated_by and page.file.abs_src_path
    name = _name(Path(origin)) if origin else f"docs/{page.file.src_uri}"
    folder = posixpath.dirname(name)

    def relocated(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, match["path"]))
        return match["before"] + posixpath.relpath(_uri(target), posixpath.dirname(page.file.src_uri) or ".")

    return "".join(part if code else _LINK.sub(relocated, part) for part, code in _parts(markdown))


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
    """List all pages for language models, see https://llmstxt.org."""
    lines = [f"# {config.site_name}", "", f"> {config.site_description}"]
    for section in nav.items:
        lines += ["", f"## {section.title}", ""]
        for page in section.children or ():
            assert isinstance(page, Page)
            page.read_source(config)
            lines.append(f"- [{page.title}]({page.url})")
    files.append(File.generated(config, "llms.txt", content="\n".join(lines) + "\n"))
    return nav


def _name(path: Path) -> str:
    """In the repository."""
    return path.relative_to(_ROOT).as_posix()


def _uri(name: str) -> str:
    """Where the site has a file of the repository. Files whose name begins with a dot are not published."""
    if name == "README.md":
        return "index.md"
    return "/".join(part.removeprefix(".") for part in name.removeprefix("docs/").split("/"))


def _parts(markdown: str) -> Iterator[tuple[str, bool]]:
    """Text and fenced code by turns."""
    for number, part in enumerate(re.split(r"(^ *```.*?^ *```$)", markdown, flags=re.MULTILINE | re.DOTALL)):
        yield part, number % 2 == 1


def _command_reference() -> str:
    return "# Commands\n\nAs `--help` prints them.\n" + "".join(_commands(main, "email-consumer", None))


def _metrics_reference() -> str:
    registry = create_registry(Metrics())
    registry.register(SampledMetricsCollector(SampledMetrics(0, 0, 0, 0, 0, 0)))
    lines = [
        "# Metrics",
        "",
        "As `/metrics` describes them. [Operations](operations.md#metrics-and-alerts) says what to watch.",
        "",
    ]
    lines += ["| metric | type | labels | |", "|---|---|---|---|"]
    for family in sorted(registry.collect(), key=lambda family: family.name):
        name = family.name + "_total" * (family.type == "counter")
        labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
        lines.append(f"| `{name}` | {family.type} | {', '.join(labels)} | {family.documentation} |")
    return "\n".join(lines) + "\n"


def _commands(command: click.Command, name: str, parent: click.Context | None) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent, max_content_width=100)
    yield f"\n## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found
            yield from _commands(found, each, context)
