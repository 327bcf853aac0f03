"""Validates a request and prepares what will be stored: each content once, each recipient separately."""

import time
from dataclasses import dataclass
from datetime import datetime, tzinfo
from uuid import uuid4

from pydantic import ValidationError

from email_consumer.api.new_messages import MAX_RECIPIENTS, NewMessage, NewMessages, RefusedRecipient
from email_consumer.message.address import normal_form, parse_address
from email_consumer.message.content import Content
from email_consumer.message.fingerprint import recipients_hash
from email_consumer.message.model import encode_mail
from email_consumer.message.problems import problems
from email_consumer.message.times import parse_time
from email_consumer.runtime.breather import Breather
from email_consumer.web.routing import ApiError

_OVERHEAD = 1_024
"""Maximum size, in bytes, of everything but content, topic and address in a NATS message: uuid, expiry, headers."""


_OF_ALL = ("unsubscribe_group", "lane", "tenant", "send_window")
"""Parts of a content that may be given for the whole request."""


@dataclass(frozen=True, slots=True)
class BatchMessage:
    """One content and its valid recipients."""

    content: Content
    recipients: list[tuple[str, str, int]]
    """uuid, address, and the hash of all recipients including copies (see `Fingerprint`)."""
    topic_id: str | None = None
    due_at: float | None = None
    """Unix seconds; None is now."""
    expires_at: float | None = None
    """Unix seconds; None is never."""


@dataclass(slots=True)
class Batch:
    messages: list[BatchMessage]
    ids: list[str | None]
    """A uuid for each recipient in the order given; None for a refused one."""
    refused: list[RefusedRecipient]
    merged: int = 0
    """Recipients whose address was given before; they share its mail."""

    @property
    def scheduled(self) -> bool:
        return any(message.due_at for message in self.messages)


async def prepare(request: NewMessages, zone: tzinfo, max_payload: int) -> Batch:
    """Validate everything; an invalid recipient is set aside, any other error fails the request.

    Args:
        request: as it was sent.
        zone: of naive times.
        max_payload: bytes of the largest message that NATS accepts.

    Raises:
        ApiError: 400 unparsable time, 413 too large for NATS, 422 any other invalid field.
    """
    total = sum(len(message.emails) for message in request.messages)
    if total > MAX_RECIPIENTS:
        raise ApiError(422, "invalid", f"{total:,} recipients; the limit is {MAX_RECIPIENTS:,} per request.")
    now, breather = time.time(), Breather()
    batch = Batch([], [], [])
    due_by_default = _time(request.scheduled_at, zone, "scheduled_at")
    for index, message in enumerate(request.messages):
        due_at = _time(message.scheduled_at, zone, f"messages.{index}.scheduled_at") or due_by_default
        expires_at = _time(message.expires_at, zone, f"messages.{index}.expires_at")
        content = _content(message, request, index)
        recipients = await _recipients(message.emails, index, content, batch, breather)
        longest = max((len(email.encode()) for _, email, _ in recipients), default=0)
        size = len(encode_mail(content, {"topic_id": message.topic_id})) + longest + _OVERHEAD
        if size > max_payload:
            text = f"messages.{index}: {size:,} bytes with attachments; NATS accepts {max_payload:,}."
            raise ApiError(413, "too_large", text)
        if due_at and expires_at and expires_at <= due_at:
            text = f"messages.{index}: expires_at must be after scheduled_at, or the mail could never be sent."
            raise ApiError(422, "invalid", text, {"fields": [f"messages.{index}.expires_at"]})
        due = due_at.timestamp() if due_at and due_at.timestamp() > now else None
        if recipients:
            expiry = expires_at.timestamp() if expires_at else None
            batch.messages.append(BatchMessage(content, recipients, message.topic_id, due, expiry))
    return batch


def _content(message: NewMessage, request: NewMessages, index: int) -> Content:
    given = {name: value for name in _OF_ALL if (value := getattr(request, name)) is not None}
    given |= {name: getattr(message, name) for name in message.model_fields_set & Content.model_fields.keys()}
    if message.content is not None:
        given["body"] = message.content
    elif not message.text:
        line = f"messages.{index}.content: content or text is required"
        raise ApiError(422, "invalid", line, {"fields": [line]})
    try:
        return Content.model_validate(given)
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
    emails: list[str], index: int, content: Content, batch: Batch, breather: Breather
) -> list[tuple[str, str, int]]:
    good: dict[str, tuple[str, str, int]] = {}
    copies = content.cc + content.bcc
    for number, email in enumerate(emails):
        await breather.breathe()
        try:
            parse_address(email)
        except ValueError as error:
            batch.refused.append(RefusedRecipient(message=index, email=number, error=str(error)))
            batch.ids.append(None)
            continue
        address = normal_form(email)
        if address in good:
            batch.merged += 1
        else:
            good[address] = (str(uuid4()), email, recipients_hash(email, copies))
        batch.ids.append(good[address][0])
    return [*good.values()]
