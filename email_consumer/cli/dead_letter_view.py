"""Dead letters as text for a terminal. Untrusted text is shown, never interpreted."""

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo

from email_consumer.core.dead_letters import DeadLetter, WholeDeadLetter
from email_consumer.message.keys import Reading
from email_consumer.message.model import EmailMessage, UndecodableError, decode
from email_consumer.runtime.visible import printable

_LONGEST_REASON = 70
_LONGEST_TEXT = 600
_DUMPED = 256
_ROW = 16


def table(letters: Iterable[DeadLetter]) -> str:
    """One line per letter under a line of headings."""
    rows = [("SEQ", "STORED AT", "KIND", "ATTEMPTS", "REFERENCE", "REASON")]
    rows += [
        (
            str(letter.sequence),
            _time(letter.stored_at),
            printable(letter.kind),
            "" if letter.attempts is None else str(letter.attempts),
            printable(letter.reference),
            _shortened(printable(letter.reason), _LONGEST_REASON),
        )
        for letter in letters
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def attributes(letter: DeadLetter) -> dict[str, object]:
    """A letter without its payload, as JSON takes it."""
    return {
        "sequence": letter.sequence,
        "stored_at": letter.stored_at.isoformat(),
        "kind": letter.kind,
        "reason": letter.reason,
        "attempts": letter.attempts,
        "reference": letter.reference,
        "bytes": letter.size,
    }


def full(letter: WholeDeadLetter, zone: tzinfo) -> str:
    """Everything about one letter: attributes, headers, and the mail's fields or why it has none."""
    parts = [
        _block("Dead letter", {name: value for name, value in attributes(letter).items() if value not in ("", None)}),
        _block("Headers", letter.headers),
    ]
    try:
        parts.append(_block("Mail", _fields(decode(letter.payload, Reading(zone)))))
    except UndecodableError as error:
        parts.append(_block("Not decodable", {"because": error}))
        parts.append(
            f"First {min(len(letter.payload), _DUMPED)} of {len(letter.payload)} bytes\n{_dump(letter.payload)}"
        )
    return "\n\n".join(parts)


def _fields(message: EmailMessage) -> dict[str, object]:
    fields: dict[str, object] = {}
    for name, value in message.model_dump(exclude_unset=True, exclude={"attachments"}).items():
        text = str(value)
        note = f" ({len(text)} characters)" if len(text) > _LONGEST_TEXT else ""
        fields[name + note] = _shortened(text, _LONGEST_TEXT)
    for file in message.attachments:
        fields[f"attachment {file.filename}"] = f"{len(file.content)} bytes, {file.content_type}"
    return fields


def _block(title: str, fields: Mapping[str, object]) -> str:
    return "\n".join([title, *(f"  {printable(name)}: {printable(str(value))}" for name, value in fields.items())])


def _dump(payload: bytes) -> str:
    rows = (payload[start : start + _ROW] for start in range(0, min(len(payload), _DUMPED), _ROW))
    return "\n".join(f"  {row.hex(' '):<{3 * _ROW}} {_ascii(row)}" for row in rows)


def _ascii(row: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)  # noqa: PLR2004 - the visible part of ASCII


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"
