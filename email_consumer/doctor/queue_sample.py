"""A sample of the waiting mail, read as the daemon will read it: what would become a dead letter, and why. Nothing is consumed."""

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import tzinfo
from time import monotonic
from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from email_consumer.core.delivery import REPLAY_OF
from email_consumer.doctor.finding import Finding, error, ok, skipped, warning
from email_consumer.jetstream.api import ask
from email_consumer.message.keys import Reading
from email_consumer.message.model import EmailMessage, UndecodableError, decode

_NEXT = 100
"""Messages that are checked at the front of the queue."""
_SPREAD = 100
"""And spread over the rest of it."""
_MOST_BYTES = 32 * 1024 * 1024
_MOST_SECONDS = 5.0
_LISTED = 5
"""Different reasons."""
_LONGEST_REASON = 200
_CONFLICT = "the uuid of another one that waits, which goes to other recipients"


@dataclass(slots=True)
class _Sample:
    zone: tzinfo
    checked: int = 0
    refused: dict[str, list[int]] = field(default_factory=dict)
    """Sequences by reason."""
    recipients: dict[str, int] = field(default_factory=dict)
    """By uuid."""

    def check(self, sequence: int, payload: bytes, *, replayed: bool) -> None:
        self.checked += 1
        try:
            message = decode(payload, Reading(self.zone))
        except UndecodableError as failure:
            self.refused.setdefault(str(failure)[:_LONGEST_REASON], []).append(sequence)
            return
        if not replayed and self._conflicts(message):
            self.refused.setdefault(_CONFLICT, []).append(sequence)

    def _conflicts(self, message: EmailMessage) -> bool:
        recipients = message.fingerprint.recipients
        return self.recipients.setdefault(message.uuid, recipients) != recipients


async def check_waiting_mail(client: Client, *, stream: str, subject: str, consumer: str, zone: tzinfo) -> Finding:
    """`subject` may be a filter. Naive times are of `zone`."""
    try:
        begin, last, waiting = await _waiting(client, stream, consumer)
        if not waiting:
            return ok("queue.waiting", "No mail is waiting.")
        sample = _Sample(zone)
        give_up_at, size = monotonic() + _MOST_SECONDS, 0
        async with aclosing(_messages(client, stream, subject, begin, last)) as messages:
            async for message in messages:
                payload = base64.b64decode(message.get("data", ""))
                headers = base64.b64decode(message.get("hdrs", ""))
                sample.check(message["seq"], payload, replayed=REPLAY_OF.encode() in headers)
                size += len(payload)
                if size > _MOST_BYTES or monotonic() > give_up_at:
                    break
                await asyncio.sleep(0)
    except NotFoundError:
        return skipped("queue.waiting", "There is no stream yet.")
    except (NatsError, TimeoutError) as failure:
        text = f"The waiting mail can't be read ({failure!r})."
        return error("queue.waiting", text, f"Check our user's permissions on $JS.API.STREAM.MSG.GET.{stream}.")
    return _finding(sample, waiting)


async def _waiting(client: Client, stream: str, consumer: str) -> tuple[int, int, int]:
    """From which sequence to which it waits, and how much."""
    state = (await ask(client, f"STREAM.INFO.{stream}"))["state"]
    begin, waiting = state["first_seq"], state["messages"]
    try:
        info = await ask(client, f"CONSUMER.INFO.{stream}.{consumer}")
    except NotFoundError:
        return begin, state["last_seq"], waiting
    return (
        max(begin, info["ack_floor"]["stream_seq"] + 1),
        state["last_seq"],
        info["num_pending"] + info["num_ack_pending"],
    )


async def _messages(
    client: Client, stream: str, subject: str, begin: int, last: int
) -> AsyncGenerator[dict[str, Any], None]:
    """The next ones, then some of the others; each once."""
    for number in range(_NEXT + _SPREAD):
        if number >= _NEXT:
            begin += max(0, last - begin) // (_NEXT + _SPREAD - number)
        try:
            answer = await ask(client, f"STREAM.MSG.GET.{stream}", {"seq": begin, "next_by_subj": subject})
        except NotFoundError:
            return
        yield answer["message"]
        begin = answer["message"]["seq"] + 1


def _finding(sample: _Sample, waiting: int) -> Finding:
    checked = f"{sample.checked:,} of the {waiting:,} waiting messages were checked"
    if not sample.refused:
        return ok("queue.waiting", f"{checked}: each can be read.")
    by_count = sorted(sample.refused.items(), key=lambda each: len(each[1]), reverse=True)
    reasons = [f"{reason} ({_where(found)})" for reason, found in by_count[:_LISTED]]
    if len(by_count) > _LISTED:
        reasons.append(f"{len(by_count) - _LISTED} other reasons")
    refused = sum(map(len, sample.refused.values()))
    text = f"{checked}, and {refused:,} will be refused and kept as dead letters: {'; '.join(reasons)}."
    fix = "Fix their publisher. Before an upgrade, let the running version empty the queue, if it accepts them."
    return warning("queue.waiting", text, fix)


def _where(sequences: list[int]) -> str:
    first, *others = sequences
    return f"{len(sequences):,} messages, such as {first}" if others else f"message {first}"
