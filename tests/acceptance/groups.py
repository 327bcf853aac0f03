"""Mailings to addresses that left a group, left everything, or get nothing, as publishers send them."""

from collections.abc import Iterator
from typing import Any

from tests.acceptance.publisher import as_map

LEFT_NEWS, LEFT_ALL, BLOCKED = "left-news@example.com", "left-all@example.com", "blocked@example.com"
MAILINGS: dict[str, dict[str, Any]] = {
    "news": {"unsubscribe_group": "news"},
    "offers": {"unsubscribe_group": "offers"},
    "plain": {},
    "reset": {"lane": "transactional"},
    "receipt": {"lane": "transactional", "unsubscribe_group": "news"},
}
ARRIVING = {
    LEFT_NEWS: {"offers", "plain", "reset", "receipt"},
    LEFT_ALL: {"reset", "receipt"},
    BLOCKED: set[str](),
}
"""What each address gets of them."""


def uuid(prefix: str, address: str, mailing: str) -> str:
    return f"{prefix}-{address.partition('@')[0]}-{mailing}"


def mailings(prefix: str) -> Iterator[bytes]:
    """Each of them to each address."""
    for address in ARRIVING:
        for mailing, fields in MAILINGS.items():
            yield as_map(uuid(prefix, address, mailing), email=address, **fields)


def expected(prefix: str) -> dict[str, int]:
    """How often SES has to see the uuids of `mailings`."""
    return {uuid(prefix, address, mailing): 1 for address, found in ARRIVING.items() for mailing in found}


def copied(prefix: str) -> Iterator[bytes]:
    """Each to somebody else, with all of the addresses in cc and bcc."""
    for mailing, fields in MAILINGS.items():
        copies = {"cc": [LEFT_NEWS, BLOCKED], "bcc": [LEFT_ALL]}
        yield as_map(f"{prefix}-{mailing}", email="joe@example.com", **copies, **fields)


def copied_to(mailing: str) -> set[str]:
    """Who gets a mailing of `copied`."""
    return {"joe@example.com"} | {address for address, found in ARRIVING.items() if mailing in found}
