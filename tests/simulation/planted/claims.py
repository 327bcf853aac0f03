"""Faults in who may send a mail, and when: claims, leases, doubt and the duplicate window."""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nats.js.api import Header

from email_consumer.core.ledger import Claim
from email_consumer.core.outcome import (
    Interrupted,
    Sent,
)
from email_consumer.feedback.inbox import Inbox
from email_consumer.ledgers import rule
from email_consumer.ledgers.jetstream.bucket import ClaimBucket
from email_consumer.ledgers.jetstream.clock import ServerClock
from email_consumer.ledgers.jetstream.ledger import JetStreamLedger
from email_consumer.ledgers.sqlite import SqliteLedger
from email_consumer.ses.client import SesClient
from tests.simulation.planted.patch import Patch

_LEDGERS = (SqliteLedger, JetStreamLedger)


def finish_before_the_answer() -> list[Patch]:
    """Finish recorded before the answer."""

    def planted(kind: Any) -> Callable[..., Any]:
        claim = kind.claim

        async def early(self: Any, message: Any, origin: Any) -> Any:
            answer = await claim(self, message, origin)
            if isinstance(answer, Claim):
                await self.finish(message, Sent("early"), origin)
            return answer

        return early

    return [(kind, "claim", planted(kind)) for kind in _LEDGERS]


def claim_kept_on_interruption() -> list[Patch]:
    """Claim not given back on interruption."""

    def planted(kind: Any) -> Callable[..., Any]:
        finish = kind.finish

        async def forgetful(self: Any, message: Any, outcome: Any, origin: Any) -> None:
            if not isinstance(outcome, Interrupted):
                await finish(self, message, outcome, origin)

        return forgetful

    return [(kind, "finish", planted(kind)) for kind in _LEDGERS]


def lease_by_the_wrong_clock() -> list[Patch]:
    """Lease compared with the wrong clock."""

    async def planted(self: Any, until: float = math.inf) -> float:  # noqa: ARG001 - as the original
        return time.time()

    return [(ServerClock, "now", planted)]


def no_lease_check() -> list[Patch]:
    """Lease check left out."""
    send = SesClient.send

    async def planted(self: Any, message: Any, deadline: float = math.inf) -> Any:  # noqa: ARG001 - as the original
        return await send(self, message)

    return [(SesClient, "send", planted)]


def doubt_resent_at_once() -> list[Patch]:
    """In-doubt mail resent at once."""
    resolve = rule._resolve

    def planted(known: Any, policy: Any, now: float, events_since: float) -> Any:
        return resolve(known, replace(policy, in_doubt_grace=0.0), now, min(events_since, now))

    return [(rule, "_resolve", planted)]


def grace_from_the_claim_alone() -> list[Patch]:
    """Grace counted from the wrong moment."""
    resolve = rule._resolve

    def planted(known: Any, policy: Any, now: float, _events_since: float) -> Any:
        return resolve(known, policy, now, 0.0)

    return [(rule, "_resolve", planted)]


def foreign_events_taken() -> list[Patch]:
    """Event of a foreign instance taken."""
    receive = Inbox.receive

    async def planted(self: Any, sns_message_id: str, event: Any) -> Any:
        return await receive(self, sns_message_id, replace(event, instance=self._instance))

    return [(Inbox, "receive", planted)]


def no_duplicate_window() -> list[Patch]:
    """Duplicate window ignored."""

    def planted(*_: object) -> Any:
        return rule.Granted(rule.Step.RENEW, 0)

    def unknown(*_: object) -> None:
        return None

    return [(rule, "_decide_on_finished", planted), *((kind, "known", unknown) for kind in _LEDGERS)]


def write_without_revision() -> list[Patch]:
    """KV update without revision."""
    original = ClaimBucket._replace

    async def planted(self: Any, key: str, value: bytes, headers: dict[str, str]) -> Any:
        headers.pop(Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value, None)
        return await original(self, key, value, headers)

    return [(ClaimBucket, "_replace", planted)]


def takeover_doubts_unknown_mail_alone() -> list[Patch]:
    """Mail that was given back is believed unsent, although another ledger had the consumer since."""
    return [(rule, "_known_since", lambda _takeover, known: known is not None)]
