"""From a request to what will be stored: each message checked once, each recipient for itself."""

import time
from dataclasses import dataclass
from datetime import datetime, tzinfo
from uuid import uuid4

from pydantic import ValidationError

from email_consumer.api.new_messages import MAX_RECIPIENTS, NewMessage, NewMessages, Refusal
from email_consumer.message.address import normal_form, parse_address
from email_consumer.message.fingerprint import recipients_hash
from email_consumer.message.model import EmailMessage, encode
from email_consumer.message.problems import problems
from email_consumer.message.times import parse_time
from email_consumer.runtime.breather import Breather
from email_consumer.web.routing import ApiError

_ROOM = 1_024
"""Bytes beside the content in a NATS message at the most: address, uuid, headers."""
_NOT_OF_THE_CONTENT = {"emails", "content", "scheduled_at", "expires_at"}


@dataclass(frozen=True, slots=True)
class BatchMessage:
    """One content and its good recipients."""

    content: EmailMessage
    """Stands for all of them; its own recipient and uuid mean nothing."""
    recipients: list[tuple[str, str, int]]
    """uuid, address, and the hash of all that the mail goes to (see `Fingerprint`)."""
    due_at: float | None
    """Unix seconds; None: at once."""


@dataclass(slots=True)
class Batch:
    messages: list[BatchMessage]
    ids: list[str | None]
    """A uuid for each recipient in the order given; None for one that is refused."""
    refused: list[Refusal]
    merged: int = 0
    """Recipients that get the mail of an earlier one, whose address is the same."""

    @property
    def scheduled(self) -> bool:
        return any(message.due_at for message in self.messages)


async def prepare(request: NewMessages, zone: tzinfo, max_payload: int) -> Batch:
    """Check everything; a bad recipient is set aside, anything else that is bad fails the request.

    Args:
        request: as it was sent.
        zone: of naive times.
        max_payload: bytes of a message that NATS takes.

    Raises:
        ApiError: 400 an unparsable time, 413 too large for NATS, 422 whatever else is wrong, naming it.
    """
    total = sum(len(message.emails) for message in request.messages)
    if total > MAX_RECIPIENTS:
        raise ApiError(422, "invalid", f"{total:,} recipients; at most {MAX_RECIPIENTS:,} in one request.")
    now, breather = time.time(), Breather()
    batch = Batch([], [], [])
    due_by_default = _time(request.scheduled_at, zone, "scheduled_at")
    for index, message in enumerate(request.messages):
        due_at = _time(message.scheduled_at, zone, f"messages.{index}.scheduled_at") or due_by_default
        content = _content(message, index, zone)
        size = len(encode(content)) + _ROOM
        if size > max_payload:
            text = f"messages.{index}: {size:,} bytes with attachments; NATS takes {max_payload:,}."
            raise ApiError(413, "too_large", text)
        if due_at and content.expires_at and content.expires_at <= due_at:
            text = f"messages.{index}: expires_at is not after scheduled_at: the mail could never be sent."
            raise ApiError(422, "invalid", text, {"fields": [f"messages.{index}.expires_at"]})
        recipients = await _recipients(message.emails, index, content, batch, breather)
        due = due_at.timestamp() if due_at and due_at.timestamp() > now else None
        if recipients:
            batch.messages.append(BatchMessage(content, recipients, due))
    return batch


def _content(message: NewMessage, index: int, zone: tzinfo) -> EmailMessage:
    given = {name: getattr(message, name) for name in message.model_fields_set - _NOT_OF_THE_CONTENT}
    if expires_at := _time(message.expires_at, zone, f"messages.{index}.expires_at"):
        given["expires_at"] = expires_at
    if message.content is not None:
        given["body"] = message.content
    elif not message.text:
        line = f"messages.{index}.content: is missing, and so is text; a mail has one of them or both"
        raise ApiError(422, "invalid", line, {"fields": [line]})
    try:
        return EmailMessage.model_validate(given | {"uuid": "-", "email": "to@localhost"})
    except ValidationError as error:
        lines = problems(error, f"messages.{index}")
        raise ApiError(422, "invalid", lines[0], {"fields": lines}) from None


def _time(value: object, zone: tzinfo, field: str) -> datetime | None:
    if value is None:
        return None
    try:
        return parse_time(value, zone)
    except ValueError as error:
        raise ApiError(400, "bad_time", f"{field} {error}.", {"fields": [field]}) from None


async def _recipients(
    emails: list[str], index: int, content: EmailMessage, batch: Batch, breather: Breather
) -> list[tuple[str, str, int]]:
    good: dict[str, tuple[str, str, int]] = {}
    copies = content.cc + content.bcc
    for number, email in enumerate(emails):
        await breather.breathe()
        try:
            parse_address(email)
        except ValueError as error:
            batch.refused.append(Refusal(message=index, email=number, error=str(error)))
            batch.ids.append(None)
            continue
        address = normal_form(email)
        if address in good:
            batch.merged += 1
        else:
            good[address] = (str(uuid4()), email, recipients_hash(email, copies))
        batch.ids.append(good[address][0])
    return [*good.values()]
