"""One message of the dead-letter stream: what its headers say, and which stream that is."""

import re
from collections.abc import Mapping
from typing import Any

from nats.js.api import RawStreamMsg

from email_consumer.core.dead_letters import DeadLetter, WholeDeadLetter
from email_consumer.core.delivery import REPLAY_OF
from email_consumer.sources.jetstream.message_heads import Head

REASON = "Email-Reason"
REFERENCE = "Email-Reference"
SEQUENCE = "Email-Stream-Sequence"
ATTEMPTS = "Email-Attempts"
FAILED_AT = "Email-Failed-At"
_OURS = frozenset(name.lower() for name in (REASON, REFERENCE, SEQUENCE, ATTEMPTS, FAILED_AT, REPLAY_OF))

_LONGEST_VALUE = 1_000
_NUMBER = re.compile(r"[0-9]{1,18}")
_INVISIBLE = re.compile(r"[^ -~]")
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 token, all that nats-py lets through


def dead_letter_stream(stream: str) -> str:
    """The stream that keeps what can't be sent, on the subjects `<name>.<kind>`."""
    return f"{stream}-dead"


def listed(head: Head, size: int) -> DeadLetter:
    """As its headers describe it; `size` in bytes."""
    return DeadLetter(
        **_described(head.subject, head.headers), sequence=head.sequence, stored_at=head.stored_at, size=size
    )


def whole(raw: RawStreamMsg) -> WholeDeadLetter:
    """As the server has it."""
    headers = {name: str(value) for name, value in (raw.headers or {}).items()}
    payload = raw.data or b""
    assert raw.seq is not None  # noqa: S101 - the server always says
    assert raw.time is not None  # noqa: S101
    return WholeDeadLetter(
        **_described(raw.subject or "", headers),
        sequence=raw.seq,
        stored_at=raw.time,
        size=len(payload),
        payload=payload,
        headers=headers,
    )


def foreign_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of the original message, without JetStream's instructions and what only we may say."""
    return {
        name: header_value(str(value))
        for name, value in headers.items()
        if _HEADER_NAME.fullmatch(name) and not name.lower().startswith("nats-") and name.lower() not in _OURS
    }


def header_value(text: str) -> str:
    """Any text as one visible ASCII line, cut at a thousand characters."""
    visible = _INVISIBLE.sub(" ", text.encode("ascii", "backslashreplace").decode())
    return " ".join(visible.split())[:_LONGEST_VALUE]


def _described(subject: str, headers: Mapping[str, str]) -> dict[str, Any]:
    attempts = headers.get(ATTEMPTS, "")
    return {
        "kind": subject.rpartition(".")[2],
        "reason": headers.get(REASON, ""),
        "reference": headers.get(REFERENCE, ""),
        "attempts": int(attempts) if _NUMBER.fullmatch(attempts) else None,
    }
