"""What strangers wrote, as a terminal or a log may show it."""

import ast
import json
from pathlib import Path

import pytest

import email_consumer.cli
from email_consumer.runtime.visible import printable, printable_lines, without_login

_OBEYED = ["\x1b[2J", "\x9b31m", "\x00", "\x7f", "a\rb", "\u202e", "\u2066", "\u2028", "\ud800", "\U000e0001"]


@pytest.mark.parametrize("text", _OBEYED)
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    assert printable(text).isprintable()
    assert printable_lines(f"one\n{text}\tend").replace("\n", "").replace("\t", "").isprintable()


@pytest.mark.parametrize("text", _OBEYED)
def test_json_stays_the_same_json(text: str) -> None:
    document = json.dumps({"text": text}, ensure_ascii=text.startswith("\ud800"), indent=2)
    assert json.loads(printable_lines(document)) == {"text": text}


def test_what_is_visible_stays_as_it_is() -> None:
    text = "Grüße, 東京 — “ok”"
    assert printable(text) is text
    assert printable_lines(f"{text}\n\tand more") == f"{text}\n\tand more"
    assert printable("a\nb\tc") == "a\\nb\\tc"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nats://user:secret@host:4222 is away", "nats://host:4222 is away"),
        ("nats://a:p@ss@one,tls://b:c@two", "nats://one,tls://two"),
        ("https://token@example.com/path", "https://example.com/path"),
        ("https://example.com/?to=jane@example.com", "https://example.com/?to=jane@example.com"),
        ("jane@example.com", "jane@example.com"),
        ('{"url": "http://one", "to": "a@b"}', '{"url": "http://one", "to": "a@b"}'),
    ],
)
def test_a_url_is_shown_without_its_login(text: str, shown: str) -> None:
    assert without_login(text) == shown


def test_commands_print_through_one_function() -> None:
    """So that no new command forgets it. What colors its own text escapes the parts."""
    folder = Path(email_consumer.cli.__path__[0])
    printing = {
        path.name
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"click.echo", "click.secho", "print"}
    }
    assert printing == {"terminal.py", "doctor.py"}
