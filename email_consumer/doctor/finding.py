"""The results of checks."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """From harmless to bad."""

    OK = "ok"
    SKIPPED = "skipped"
    """Not checked: something else must be fixed first, or there is nothing to check."""
    WARNING = "warning"
    """Mail goes out, but something will hurt: now and then, soon, or later."""
    ERROR = "error"
    """Mail does not go out, or what becomes of it goes unseen."""

    @property
    def exit_code(self) -> int:
        """0 all is well, 1 there are warnings, 2 there are errors."""
        return {Severity.WARNING: 1, Severity.ERROR: 2}.get(self, 0)


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    check: str
    """What was checked, such as `nats.jetstream`; stable, for programs."""
    severity: Severity
    text: str
    """What was found, for people."""
    fix: str = ""
    """How to fix it; never empty if something must be done."""


def ok(check: str, text: str) -> Finding:
    return Finding(check, Severity.OK, text)


def skipped(check: str, text: str, fix: str = "") -> Finding:
    return Finding(check, Severity.SKIPPED, text, fix)


def warning(check: str, text: str, fix: str) -> Finding:
    return Finding(check, Severity.WARNING, text, fix)


def error(check: str, text: str, fix: str) -> Finding:
    return Finding(check, Severity.ERROR, text, fix)


def worst(findings: Iterable[Finding]) -> Severity:
    """The severity of all of them together."""
    found = {finding.severity for finding in findings}
    return next((severity for severity in (Severity.ERROR, Severity.WARNING) if severity in found), Severity.OK)
