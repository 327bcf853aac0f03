"""Log lines for a terminal."""

import pytest

from email_consumer.observe.console import WIDTH, ConsoleRenderer

_LINE = {"timestamp": "2026-11-28T09:00:00.123456Z", "level": "info", "logger": "email_consumer.roles"}


def _rendered(**fields: object) -> list[str]:
    return ConsoleRenderer(colors=False)(None, "", {**_LINE, **fields}).splitlines()


def test_a_short_line_is_one_line() -> None:
    assert _rendered(event="mail.sent", uuid="u-1", text="two words", empty="", attempts=2) == [
        "09:00:00 info     mail.sent  uuid=u-1  text='two words'  empty=''  attempts=2"
    ]


def test_the_rate_line_reads_as_operators_know_it() -> None:
    fields = {
        "rps": 14_000,
        "in_flight": 500,
        "throttled": 0,
        "retried": 0,
        "failed": 0,
        "rate": 14_000.0,
        "peak": 14_000,
    }
    message = {"event": "sending.rate", "message": "Sent per second (RPS): 14000"}
    lines = _rendered(**message, **fields)
    assert lines[0].startswith("09:00:00 info     Sent per second (RPS): 14000  rps=14000  in_flight=500")
    assert max(map(len, lines)) <= WIDTH


def test_what_does_not_fit_goes_on_below() -> None:
    hint = "nothing is lost; " * 12
    lines = _rendered(event="queue.held", reason="x" * 90, hint=hint.strip(), after="y")
    assert max(map(len, lines)) <= WIDTH
    assert lines[1] == f"    reason={'x' * 90}"
    assert lines[2].startswith("    hint='nothing is lost;")
    assert all(line.startswith("        ") for line in lines[3:])
    assert " ".join(" ".join(lines).split()).endswith("nothing is lost;'  after=y".replace("  ", " "))


def test_what_a_library_says_names_it() -> None:
    assert _rendered(event="lost", logger="nats")[0].endswith("lost  logger=nats")


@pytest.mark.parametrize("evil", ["\x1b[2J", "\x9b31m", "a\rb", "\u202e", "\x00", "\ud800", "\u2066"])
def test_no_control_character_reaches_the_terminal(evil: str) -> None:
    text = "\n".join(_rendered(event=f"e{evil}", **{f"name{evil}": evil}, exception=f"Error: {evil}"))
    assert evil not in text
    assert all(line.isprintable() for line in text.split("\n"))


def test_a_line_break_makes_no_second_line() -> None:
    assert _rendered(event="a\nb", c="d\ne") == ["09:00:00 info     a\\nb  c=d\\ne"]


def test_a_traceback_stands_below_as_it_is() -> None:
    lines = _rendered(event="it.broke", exception='Traceback:\n  File "x.py", line 1\nValueError: no')
    assert lines[1:] == ["Traceback:", '  File "x.py", line 1', "ValueError: no"]


def test_colors_are_for_terminals() -> None:
    colored = ConsoleRenderer(colors=True)(None, "", {**_LINE, "event": "e", "level": "error", "a": 1})
    assert colored == "\x1b[2m09:00:00\x1b[0m \x1b[31merror    e\x1b[0m  a=1"
