"""E-mail addresses as SES accepts them: ASCII only, bare or with a display name."""

import re

from ses_sandbox.aws.errors import AwsError

_LOCAL = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+"
_DOMAIN = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
_BARE = re.compile(rf"{_LOCAL}@{_DOMAIN}")
_NAMED = re.compile(rf"(?:\"(?:[^\"\\]|\\.)*\"\s*|[^\"<>]*)<({_LOCAL}@{_DOMAIN})>\s*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def bare_address(text: str) -> str:
    """`local@domain` of an address with or without a display name.

    Raises:
        AwsError: BadRequestException with the text the real service gives for the most common mistakes.
    """
    if _BARE.fullmatch(text):
        return text
    if _CONTROL.search(text):
        raise _bad("Address contains control characters")
    named = _NAMED.fullmatch(text)
    if named and text.isascii():
        return named[1]
    if named:
        raise _bad("Display name contains non-ASCII characters; encode it as in RFC 2047")
    raise _bad(_problem_of(text.rpartition("<")[2].rstrip("> ")))


def _problem_of(address: str) -> str:
    local, at, domain = address.rpartition("@")
    if not at:
        return "Missing final '@domain'"
    if not local:
        return f"User name is missing: '{address}'"
    if not domain:
        return "Missing domain"
    if re.search(r"\s", domain):
        return "Domain contains control or whitespace"
    if domain.startswith("."):
        return "Domain starts with dot"
    if not re.fullmatch(_DOMAIN, domain):
        return "Domain contains illegal character"
    return "Local address contains control or whitespace" if re.search(r"\s", local) else "Illegal address"


def _bad(message: str) -> AwsError:
    return AwsError("BadRequestException", message)
