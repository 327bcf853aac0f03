"""The command group, and how commands report what is wrong."""

import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from email_consumer import cli
from email_consumer.cli import dotenv_file, main


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
    ("content", "lines"),
    [
        (
            b"SES_RATE_PER_SECOND=9\nAPI_KEYS=x\n",
            [
                ".env: SES_RATE_PER_SECOND is not a variable of this program; did you mean SES_RATE_PER_SEC?",
                ".env: API_KEYS is not a variable of this program; did you mean API_KEY?",
            ],
        ),
        (
            "FROM_EM\u0410IL=a@example.com\n".encode(),
            [r".env: 'FROM_EM\u0410IL' is not a variable of this program; did you mean FROM_EMAIL?"],
        ),
        (b"STREAM=a\n=b\n", [".env line 2: is not of the form NAME=value"]),
        (b"STREAM=\xff\n", [".env: is not UTF-8 text"]),
        (b"STREAM=a\0b\n", [".env: STREAM contains a NUL character"]),
    ],
)
def test_a_bad_dotenv_stops_the_start(
    content: bytes, lines: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(content)
    result = CliRunner().invoke(main, ["run"])
    assert (result.exit_code, result.stderr.splitlines()) == (2, lines)


# What earlier services' deployments hold, docs/migration.md; those that this program reads and those that it doesn't.
_EARLIER = {
    "rust": "AWS_REGION AWS_SES_FROM_EMAIL MAX_SEND_PER_SECOND SERVER_URL SERVER_PORT API_KEY RUST_LOG SENTRY_DSN "
    "DATABASE_URL JWT_SECRET SENTRY_TRACES_SAMPLE_RATE DB_MAX_CONNECTIONS SEND_CHANNEL_BUFFER",
    "go": "AWS_REGION EMAIL_SENDER EMAIL_RATE SERVER_HOST SERVER_PORT API_KEY SENTRY_DSN DB_HOST DB_PORT DB_USER "
    "DB_PASSWORD DB_NAME AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY",
    "go-sqs": "AWS_SQS_DEFAULT_QUEUE_NAME EMAIL_SENDER EMAIL_RATE SERVER_HOST SERVER_PORT SENTRY_DSN",
    "rust-nats": "NATS_URL STREAM SUBJECT CONSUMER SES_RATE_PER_SEC CONCURRENCY_LIMIT MAX_CONCURRENT FROM_EMAIL "
    "AWS_REGION RUST_LOG",
}


@pytest.mark.parametrize("service", _EARLIER)
def test_the_dotenv_of_an_earlier_service_is_read(service: str, tmp_path: Path) -> None:
    names = _EARLIER[service].split()
    (tmp_path / ".env").write_text("".join(f"{name}=x\n" for name in names))
    environ: dict[str, str] = {}
    dotenv_file.merge(environ, tmp_path / ".env")
    assert environ == dict.fromkeys(names, "x")


def test_a_data_directory_that_cannot_be_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    result = CliRunner().invoke(main, ["run", "--local", "--data", "file/data"])
    assert (result.exit_code, result.stderr) == (1, "Error: --data: file/data can't be used: Not a directory\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--html", "-"], "no recipient"),
        (["--to", "a@example.com"], "no body: give --html, --text or both"),
        (["--to", "a@example.com", "--html", "-", "--text", "-"], "can't both read standard input"),
        (["--to", "a@example.com", "--html", "-", "--at", "tomorrow"], "scheduled_at: "),
        (["--to", "a@example.com", "--html", "-", "--from", "nobody"], "from_email: "),
        (["--to", "a@example.com", "--html", "missing.html"], "missing.html"),
        (["--to", "a@example.com", "--html", "/dev/null"], "--html /dev/null is empty; nothing was published"),
        (["--to", "a@example.com", "--html", "-", "--text", "/dev/null"], "--text /dev/null is empty"),
        (["--to", "a@example.com", "--html", "-", "--subject", "two\nlines"], "subject: contains a line break"),
    ],
)
def test_publish_refuses_in_plain_words(arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(main, ["publish", "--subject", "s", *arguments], input="x")
    assert result.exit_code in {1, 2}
    assert words in result.stderr


def test_rebuild_asks_for_the_ledger_before_it_has_anything_moved_away(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "email.db").touch()
    monkeypatch.setenv("DB_PATH", str(tmp_path / "email.db"))
    monkeypatch.setenv("LEDGER", "sqlite")
    result = CliRunner().invoke(main, ["rebuild"])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: LEDGER: rebuild is for a sidecar")
    assert "leave it where it is" in result.stderr


def _groups(group: click.Group, context: click.Context) -> Iterator[tuple[click.Group, click.Context]]:
    yield group, context
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _groups(command, click.Context(command, context, name))


def test_no_line_of_a_help_is_cut_off() -> None:
    helps = {context.command_path: group.get_help(context) for group, context in _groups(main, click.Context(main))}
    assert len(helps) > 8
    cut = [line for text in helps.values() for line in text.splitlines() if re.search(r"\w\.\.\.$", line)]
    assert cut == []


@pytest.mark.parametrize(
    "arguments", [["stats", "bad\udcff"], ["publish", "--subject", "\udcfe"], ["messages", "show", "\udcff"]]
)
def test_an_argument_that_is_no_text_is_refused(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "Error: not UTF-8" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [["stats", ""], ["cancel", "-y", ""], ["messages", "show", ""], ["keys", "remove", ""], ["holds", "resume", ""]],
)
def test_an_empty_argument_names_nothing(arguments: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "Error: an argument is empty" in result.stderr


def test_a_list_of_recipients_without_line_ends_is_refused() -> None:
    result = CliRunner().invoke(main, ["publish", "--to-file", "/dev/zero", "--subject", "s", "--text", __file__])
    assert result.exit_code == 1
    assert result.stderr == "Error: /dev/zero line 1 has 10,000 characters or more\n"


@pytest.mark.parametrize("option", ["--html", "--text", "--attach"])
def test_a_file_without_end_is_not_read_to_its_end(option: str) -> None:
    body = [] if option == "--text" else ["--text", __file__]
    arguments = ["publish", "--to", "a@example.com", "--subject", "s", *body, option, "/dev/zero"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert result.stderr == f"Error: {option} /dev/zero has more than 41,943,040 bytes, which SES takes at most\n"
