"""One endpoint: where its events go, which ones it wants, and what they are signed with."""

import secrets
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from sqlite3 import Row
from typing import Any, Literal, Self

import orjson
from standardwebhooks import Webhook

from email_consumer.message.times import rfc3339

_SECRET_BYTES = 32
OVERLAP = 24 * 3_600.0
"""Seconds for which the former secret signs, too, after a rotation."""


Format = Literal["standard", "resend"]
"""The form in which an endpoint gets events: as in docs/events.md, or as Resend posts them."""


def new_secret() -> str:
    return f"whsec_{b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}"


def new_id() -> str:
    return f"ep_{secrets.token_hex(12)}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A row of `webhook_endpoints`. Times are Unix seconds."""

    id: str
    url: str
    types: frozenset[str] | None
    """Types of events; None: all."""
    topics: frozenset[str] | None
    """Topics whose events it gets; None: all, and events without a topic."""
    lane: str | None
    format: Format
    secret: str
    former_secret: str | None
    former_until: float | None
    created_at: float
    failing_since: float | None
    disabled_at: float | None
    disabled_reason: str | None

    @classmethod
    def of(cls, row: Row) -> Self:
        return cls(**{**dict(row), "types": _names(row["types"]), "topics": _names(row["topics"])})

    def wants(self, event: Mapping[str, Any]) -> bool:
        return (
            (self.types is None or event["type"] in self.types)
            and (self.topics is None or event.get("topic_id") in self.topics)
            and (self.lane is None or event.get("lane", self.lane) == self.lane)
        )

    def headers(self, event_id: str, body: str, now: float) -> dict[str, str]:
        """As the specification wants them: the receiver may check any of the signatures."""
        keys = [self.secret]
        if self.former_secret and now < (self.former_until or 0):
            keys.append(self.former_secret)
        moment = datetime.fromtimestamp(now, UTC)
        found = {
            "webhook-id": event_id,
            "webhook-timestamp": str(int(now)),
            "webhook-signature": " ".join(Webhook(key).sign(event_id, moment, body) for key in keys),
        }
        if self.format == "resend":  # it uses the names that these had before they became a standard
            found |= {name.replace("webhook-", "svix-"): value for name, value in found.items()}
        return found


def _names(text: str | None) -> frozenset[str] | None:
    return None if text is None else frozenset(orjson.loads(text))


def as_names(names: frozenset[str] | None) -> str | None:
    """For the table."""
    return None if names is None else orjson.dumps(sorted(names)).decode()


def test_event() -> dict[str, Any]:
    """What `test` sends: an event of no mail."""
    return {"id": f"evt_test{secrets.token_hex(8)}", "type": "test", "at": rfc3339(time.time())}
