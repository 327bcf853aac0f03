"""Findings as text for a terminal, and as JSON for programs."""

from collections import Counter
from collections.abc import Sequence

import click
import orjson

from email_consumer.doctor.finding import Finding, Severity, worst
from email_consumer.runtime.counted import counted
from email_consumer.runtime.visible import printable, without_login

_COLOURS = {Severity.OK: "green", Severity.SKIPPED: "bright_black", Severity.WARNING: "yellow", Severity.ERROR: "red"}


def as_text(findings: Sequence[Finding]) -> str:
    """A line per finding, what to do about it beneath, and the sum at the end."""
    wide = max((len(finding.check) for finding in findings), default=0)
    beneath = " " * (7 + 2 + wide + 2)
    lines = []
    for finding in findings:
        name = click.style(f"{finding.severity:<7}", fg=_COLOURS[finding.severity])
        lines.append(f"{name}  {finding.check:<{wide}}  {_shown(finding.text)}")
        if finding.fix:
            lines.append(f"{beneath}→ {_shown(finding.fix)}")
    return "\n".join([*lines, "", _sum(findings)])


def as_json(findings: Sequence[Finding]) -> bytes:
    """`{"severity", "findings": [{"check", "severity", "text", "fix"}, …]}`; `fix` is empty where nothing is to do."""
    return orjson.dumps({"severity": worst(findings), "findings": findings}, option=orjson.OPT_INDENT_2)


def _sum(findings: Sequence[Finding]) -> str:
    counts = Counter(finding.severity for finding in findings)
    if worst(findings) is Severity.OK:
        return f"All is well: {counted(counts[Severity.OK], 'check')}."
    parts = [(counts[Severity.ERROR], "error"), (counts[Severity.WARNING], "warning")]
    return ", ".join(f"{count} {name}{'s' if count > 1 else ''}" for count, name in parts if count) + "."


def _shown(text: str) -> str:
    return printable(without_login(text))
