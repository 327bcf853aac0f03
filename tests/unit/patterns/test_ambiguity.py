"""The judge of patterns, on patterns whose cost is known."""

import re

import pytest

from tests.unit.patterns.ambiguity import superlinear


@pytest.mark.parametrize(
    "pattern",
    [
        r"[a-z]+@[a-z]+",
        r"a*b*c*",
        r'"(?:[^"\\]|\\.)*"',
        r'"[^"\\]*(?:\\.[^"\\]*)*"',
        r"(?:[a-z]+\.)+[a-z]+",
        r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?",
        r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?",
        r"(?>a+)b",
    ],
)
def test_linear_from_the_beginning(pattern: str) -> None:
    assert not superlinear(pattern, search=False)


@pytest.mark.parametrize(
    "pattern",
    [
        r"\s*.*?\s*<",
        r"[^<]*\s*<",
        r"(?:a+)+b",
        r"(?:a*)*b",
        r"(?:a|aa)+b",
        r"(?:[a-z]+\.?)+@",
        r"a*b?a*c",
    ],
)
def test_superlinear_from_the_beginning(pattern: str) -> None:
    assert superlinear(pattern, search=False)


@pytest.mark.parametrize("pattern", [r"</body\s*>", r"[^\s]+", r"\d{3}", r"(?:daily|hourly) quota", r"x[^x]*!"])
def test_linear_to_search_for(pattern: str) -> None:
    assert not superlinear(pattern, re.IGNORECASE, search=True)


@pytest.mark.parametrize("pattern", [r"[a-z]+@", r"\d+px", r"set .*(?:paused|gone)", r"\s+$", r"\b\w+\.pem"])
def test_superlinear_to_search_for(pattern: str) -> None:
    assert superlinear(pattern, search=True)
