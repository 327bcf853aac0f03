"""The command group, and how commands report what is wrong."""

import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from email_consumer import cli
from email_consumer.cli import main


def test_each_listed_command_is_there_and_each_module_with_a_command_is_listed() -> None:
    modules = {module.name for module in pkgutil.iter_modules(cli.__path__)}
    written = {name for name in modules if hasattr(import_module(f"email_consumer.cli.{name}"), "command")}
    assert written == set(main.list_commands(click.Context(main)))


def test_help_loads_no_command() -> None:
    code = (
        "import sys; from email_consumer.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert "publish" in printed
    assert not {"nats", "pydantic", "aiohttp", "botocore"} & set(printed.split())


def test_a_bad_setting_is_one_line_and_exit_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONCURRENCY_LIMIT", "many")
    result = CliRunner().invoke(main, ["publish", "--to", "a@example.com", "--subject", "s", "--html", "-"], input="x")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("CONCURRENCY_LIMIT: ")


def test_dotenv_is_read_where_the_environment_is_silent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAX_ATTEMPTS", "0")
    monkeypatch.setenv("RETRY_DELAY", "")  # undone after the test, as is what .env sets
    monkeypatch.delenv("RETRY_DELAY")
    (tmp_path / ".env").write_text("MAX_ATTEMPTS=7\nRETRY_DELAY=soon\n")
    result = CliRunner().invoke(main, ["publish", "--to", "a@example.com", "--subject", "s", "--html", "-"], input="x")
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == ["MAX_ATTEMPTS", "RETRY_DELAY"]
    assert "it is '0'" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--html", "-"], "no recipient"),
        (["--to", "a@example.com", "--html", "missing.html"], "missing.html"),
        (["--to", "a@example.com", "--html", "-", "--subject", "two\nlines"], "subject: contains a line break"),
    ],
)
def test_publish_refuses_in_plain_words(arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(main, ["publish", "--subject", "s", *arguments], input="x")
    assert result.exit_code in {1, 2}
    assert words in result.stderr
