"""Commands in the documentation can be pasted: they have commands and options that exist, and curl says what it sends."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from email_consumer.cli import main

_REPOSITORY = Path(__file__).parents[3]
_PAGES = [
    *_REPOSITORY.glob("*.md"),
    *_REPOSITORY.glob("docs/*.md"),
    *_REPOSITORY.glob("packages/email-consumer-client/*.md"),
]
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_CALL = re.compile(r"(?:\.venv/bin/)?email-consumer ([a-z][^|;)`]*)")
_INLINE = re.compile(r"`email-consumer ([a-z][^`…]*)`")


def _commands(text: str) -> Iterator[str]:
    """Lines of shell blocks, continued ones in one piece."""
    for block in _BLOCK.findall(text):
        yield from block.replace("\\\n", " ").splitlines()


def _calls() -> Iterator[tuple[str, str]]:
    """The page and what follows `email-consumer`, in blocks and in running text."""
    for page in _PAGES:
        text = page.read_text()
        found = [call for line in _commands(text) for call in _CALL.findall(re.sub(r"\s#.*", "", line))]
        for call in [*found, *_INLINE.findall(re.sub(r"\s+", " ", text))]:
            yield page.name, call.strip()


CALLS = sorted(set(_calls()))


def test_there_are_many() -> None:
    assert len(CALLS) > 40


@pytest.mark.parametrize(("page", "call"), CALLS)
def test_a_call_has_commands_and_options_that_exist(page: str, call: str) -> None:
    command: click.Command = main
    words, context = shlex.split(re.sub(r"[][]", "", call)), click.Context(main)
    while isinstance(command, click.Group) and words:
        name = words.pop(0)
        found = command.get_command(context, name)
        assert found, f"{page}: no such command: {name}"
        command, context = found, click.Context(found, context, name)
    known = {option for each in command.get_params(context) for option in (*each.opts, *each.secondary_opts)}
    given = {word.partition("=")[0] for word in words if re.fullmatch(r"-[a-z]|--[a-z].*", word)}
    assert given <= known, f"{page}: {call}"


def test_curl_sends_json_as_json() -> None:
    sent = [
        (page.name, line) for page in _PAGES for line in _curl(page.read_text()) if re.search(r" (-d|--data) ", line)
    ]
    assert sent
    assert [line for line in sent if "Content-Type: application/json" not in line[1]] == []


def _curl(text: str) -> Iterator[str]:
    """Each call, with the lines that its quotation marks or backslashes continue."""
    for block in _BLOCK.findall(text):
        for call in re.split(r"^(?=curl )", block.replace("\\\n", " "), flags=re.MULTILINE):
            if call.startswith("curl "):
                yield call
