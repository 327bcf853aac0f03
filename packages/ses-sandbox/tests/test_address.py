"""Addresses as SES takes and refuses them."""

import pytest

from ses_sandbox.aws.errors import AwsError
from ses_sandbox.ses.address import bare_address


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("a@example.com", "a@example.com"),
        ("a.b+c@xn--exmple-cua.com", "a.b+c@xn--exmple-cua.com"),
        ("Ann <a@example.com>", "a@example.com"),
        ('"Ann, B. \\"x\\"" <a@example.com>', "a@example.com"),
        ("=?utf-8?q?J=C3=BCrgen?= <a@example.com>", "a@example.com"),
        ("<a@example.com>", "a@example.com"),
    ],
)
def test_the_bare_address(text: str, bare: str) -> None:
    assert bare_address(text) == bare


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nobody", "Missing final '@domain'"),
        ("@example.com", "User name is missing"),
        ("a@", "Missing domain"),
        ("a@exa mple.com", "Domain contains control or whitespace"),
        ("a@.com", "Domain starts with dot"),
        ("a@exämple.com", "Domain contains illegal character"),
        ("a b@example.com", "Local address contains control or whitespace"),
        ("ä@example.com", "Illegal address"),
        ("Jürgen <a@example.com>", "non-ASCII"),
        ("a@example.com\r\nBcc: b@example.com", "control characters"),
    ],
)
def test_the_reason_of_a_refusal(text: str, reason: str) -> None:
    with pytest.raises(AwsError, match=reason):
        bare_address(text)
