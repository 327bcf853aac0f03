"""Events: one JSON document, the same in the stream `<STREAM>-events` and in webhooks."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from email_consumer_client.errors import UnexpectedAnswerError
from email_consumer_client.reading import moment, read

TYPES = (
    "scheduled",
    "sent",
    "delivered",
    "delayed",
    "bounced",
    "complained",
    "opened",
    "clicked",
    "unsubscribed",
    "failed",
    "stopped",
    "in_doubt",
    "conflict",
    "held",
    "resumed",
)
"""Types that exist today; a newer version may have others, so ignore those that you don't know."""


@dataclass(frozen=True, slots=True)
class Bounce:
    """Why a mail bounced, in SES's words."""

    type: str
    """`Permanent`, `Transient` or `Undetermined`."""
    subtype: str | None = None
    diagnostic: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a mail. What does not apply stays None or empty.

    An event may arrive more than once: remember its `id`. The order of arrival is not the order of events: `seq` is.
    """

    id: str
    type: str
    """One of `TYPES`, or a newer one."""
    at: datetime
    seq: int | None = None
    """Grows with what the installation recorded."""
    uuid: str | None = None
    state: str | None = None
    """What the mail had come to when the event was published, such as `delivered`; see the daemon's glossary."""
    topic_id: str | None = None
    lane: str | None = None
    tenant: str | None = None
    email: str | None = None
    """The mail's main recipient."""
    recipients: Sequence[str] = ()
    """Those whom the event concerns, copies included."""
    message_id: str | None = None
    """SES's."""
    attempt: int | None = None
    source: str | None = None
    """Where the mail came from: `nats`, `sqs` or `api`."""
    reason: str | None = None
    unsubscribe_group: str | None = None
    """What the address left; None is all bulk mail."""
    hold: str | None = None
    """Of `held` and `resumed`, which are about no mail: `account`, `lane:bulk`, `tenant:<name>` or `topic:<id>`."""
    bounce: Bounce | None = None
    machine: bool = False
    """An open or click that a program probably caused."""
    trace_id: str | None = None
    """OpenTelemetry's id of the mail's trace, 32 hexadecimal digits."""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The whole document, with the fields that this version doesn't know."""


def parse_event(data: bytes | str | Mapping[str, Any]) -> Event:
    """An event from the data of a NATS message, or from an already parsed document.

    Raises:
        UnexpectedAnswerError: it is not an event.
    """
    document = data if isinstance(data, Mapping) else _parsed(data)
    at = moment(document, "at")
    if at is None:
        raise UnexpectedAnswerError("an event has no time")
    bounce = document.get("bounce")
    return read(Event, document, at=at, bounce=None if bounce is None else read(Bounce, bounce))


def _parsed(data: bytes | str) -> Mapping[str, Any]:
    try:
        document = json.loads(data)
    except ValueError:
        raise UnexpectedAnswerError(f"an event is JSON, not {data!r:.100}") from None
    if not isinstance(document, Mapping):
        raise UnexpectedAnswerError(f"an event is a JSON object, not {data!r:.100}")
    return document
