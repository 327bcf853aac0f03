"""Faults to plant into the program: each has to be found, or the simulation has grown blind to its kind."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any
from unittest import mock

from nats.js.api import Header

from email_consumer.cluster import share_rule
from email_consumer.cluster.membership import Membership
from email_consumer.core.dead_letters import DeadLetterKind
from email_consumer.core.ledger import Claim
from email_consumer.core.outcome import (
    Duplicate,
    Exhausted,
    Interrupted,
    Rejected,
    Scheduled,
    Sent,
    Throttled,
)
from email_consumer.feedback.inbox import Inbox
from email_consumer.jetstream.publisher import Publisher
from email_consumer.ledgers import row_changes, rule, sqlite, write_outcomes
from email_consumer.ledgers.jetstream import ledger as jetstream_ledger
from email_consumer.ledgers.jetstream import projection, record
from email_consumer.ledgers.jetstream.bucket import ClaimBucket
from email_consumer.ledgers.jetstream.clock import ServerClock
from email_consumer.ledgers.jetstream.ledger import JetStreamLedger
from email_consumer.ledgers.sqlite import SqliteLedger
from email_consumer.pipeline import gate
from email_consumer.pipeline.dispatcher import Dispatcher
from email_consumer.pipeline.gate import Gate
from email_consumer.pipeline.pacer import Pacer
from email_consumer.pipeline.settlement import Settlement
from email_consumer.ses.client import SesClient
from email_consumer.sources.jetstream.consumer_lease import ConsumerLease
from email_consumer.sources.jetstream.delivery import JetStreamDelivery

Patch = tuple[Any, str, Any]
"""What is replaced, where, by what."""

_LEDGERS = (SqliteLedger, JetStreamLedger)
_DEAD = (Rejected, Exhausted)


def _ack_before_the_commit() -> list[Patch]:
    settle = Settlement.settle

    async def planted(self: Any, delivery: Any, message: Any, outcome: Any, *rest: Any, **more: Any) -> None:
        if isinstance(outcome, Sent):
            await delivery.ack()
        await settle(self, delivery, message, outcome, *rest, **more)

    return [(Settlement, "settle", planted)]


def _finish_before_the_answer() -> list[Patch]:
    def planted(kind: Any) -> Callable[..., Any]:
        claim = kind.claim

        async def early(self: Any, message: Any, origin: Any) -> Any:
            answer = await claim(self, message, origin)
            if isinstance(answer, Claim):
                await self.finish(message, Sent("early"), origin)
            return answer

        return early

    return [(kind, "claim", planted(kind)) for kind in _LEDGERS]


def _claim_kept_on_interruption() -> list[Patch]:
    def planted(kind: Any) -> Callable[..., Any]:
        finish = kind.finish

        async def forgetful(self: Any, message: Any, outcome: Any, origin: Any) -> None:
            if not isinstance(outcome, Interrupted):
                await finish(self, message, outcome, origin)

        return forgetful

    return [(kind, "finish", planted(kind)) for kind in _LEDGERS]


def _lease_by_the_wrong_clock() -> list[Patch]:
    async def planted(self: Any, until: float = math.inf) -> float:  # noqa: ARG001 - as the original
        return time.time()

    return [(ServerClock, "now", planted)]


def _no_lease_check() -> list[Patch]:
    send = SesClient.send

    async def planted(self: Any, message: Any, deadline: float = math.inf) -> Any:  # noqa: ARG001 - as the original
        return await send(self, message)

    return [(SesClient, "send", planted)]


def _doubt_resent_at_once() -> list[Patch]:
    resolve = rule._resolve

    def planted(known: Any, policy: Any, now: float, events_since: float) -> Any:
        return resolve(known, replace(policy, in_doubt_grace=0.0), now, min(events_since, now))

    return [(rule, "_resolve", planted)]


def _grace_from_the_claim_alone() -> list[Patch]:
    resolve = rule._resolve

    def planted(known: Any, policy: Any, now: float, _events_since: float) -> Any:
        return resolve(known, policy, now, 0.0)

    return [(rule, "_resolve", planted)]


def _foreign_events_taken() -> list[Patch]:
    receive = Inbox.receive

    async def planted(self: Any, sns_message_id: str, event: Any) -> Any:
        return await receive(self, sns_message_id, replace(event, instance=self._instance))

    return [(Inbox, "receive", planted)]


def _no_duplicate_window() -> list[Patch]:
    def planted(*_: object) -> Any:
        return rule.Granted(rule.Step.RENEW, 0)

    def unknown(*_: object) -> None:
        return None

    return [(rule, "_decide_on_finished", planted), *((kind, "known", unknown) for kind in _LEDGERS)]


def _duplicate_taken_for_stored() -> list[Patch]:
    async def planted(self: Any, subject: str, payload: bytes, identity: str, headers: Any) -> Any:
        return await self.once(subject, payload, {**headers, Header.MSG_ID.value: identity})

    return [(Publisher, "store", planted)]


def _nak_without_delay() -> list[Patch]:
    nak = JetStreamDelivery.nak

    async def planted(self: Any, delay: float) -> None:  # noqa: ARG001 - as the original
        await nak(self, 0)

    return [(JetStreamDelivery, "nak", planted)]


def _throttle_costs_an_attempt() -> list[Patch]:
    change = row_changes.row_change

    def planted(outcome: Any) -> Any:
        found = change(outcome)
        return found._replace(attempts=1) if isinstance(outcome, Throttled) else found

    return [(write_outcomes, "row_change", planted), (record, "row_change", planted)]


def _last_attempt_without_dead_letter() -> list[Patch]:
    store = Settlement._store_dead_letter

    async def planted(self: Any, delivery: Any, kind: str, reason: str, attempts: int) -> bool:
        return kind == DeadLetterKind.EXHAUSTED or await store(self, delivery, kind, reason, attempts)

    return [(Settlement, "_store_dead_letter", planted)]


def _dead_letter_after_the_outcome() -> list[Patch]:
    settle = Settlement.settle

    async def planted(self: Any, delivery: Any, message: Any, outcome: Any, *rest: Any, **more: Any) -> None:
        if isinstance(outcome, _DEAD):
            await self._record(message, outcome, rest[0])
        await settle(self, delivery, message, outcome, *rest, **more)

    return [(Settlement, "settle", planted)]


def _term_before_the_dead_letter() -> list[Patch]:
    settle = Settlement.settle

    async def planted(self: Any, delivery: Any, message: Any, outcome: Any, *rest: Any, **more: Any) -> None:
        if isinstance(outcome, _DEAD):
            await delivery.term()
        await settle(self, delivery, message, outcome, *rest, **more)

    return [(Settlement, "settle", planted)]


_released: ContextVar[bool] = ContextVar("released", default=False)


def _gate_before_the_pacer_only() -> list[Patch]:
    acquire, check = Pacer.acquire, Gate.check

    async def planted_acquire(self: Any, recipients: int, stopped: Any = bool) -> bool:  # noqa: ARG001 - as the original
        released = await acquire(self, recipients)
        _released.set(True)
        return released

    def planted_check(self: Any, message: Any, origin: Any) -> Any:
        return None if _released.get() else check(self, message, origin)

    def granted(decision: Any, _stopped: object) -> Any:
        return decision

    return [
        (Pacer, "acquire", planted_acquire),
        (Gate, "check", planted_check),
        (sqlite, "unless_stopped", granted),
        (jetstream_ledger, "unless_stopped", granted),
    ]


def _suppression_by_spelling() -> list[Patch]:
    return [(gate, "normal_form", str)]


def _no_cap_on_the_window() -> list[Patch]:
    def planted(_self: Any, _recipients: int, now: float) -> float:
        return now

    return [(Pacer, "_room_at", planted)]


def _share_kept_when_cut_off() -> list[Patch]:
    return [
        (Membership, "valid_until", math.inf),
        (share_rule.Roster, "_lapse_if_due", lambda *_: None),
        (share_rule.Roster, "lost", lambda *_: None),
    ]


def _write_without_revision() -> list[Patch]:
    original = ClaimBucket._replace

    async def planted(self: Any, key: str, value: bytes, headers: dict[str, str]) -> Any:
        headers.pop(Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value, None)
        return await original(self, key, value, headers)

    return [(ClaimBucket, "_replace", planted)]


def _outcome_shown_twice() -> list[Patch]:
    return [(projection, "_is_newer", lambda entry, _shown: not entry["conflict"])]


def _schedule_without_storing() -> list[Patch]:
    async def nothing(*_: object, **__: object) -> Scheduled:
        return Scheduled()

    return [(jetstream_ledger, "publish_scheduled", nothing), (sqlite, "keep_for_later", nothing)]


def _consumer_lease_ignored_for_a_beat() -> list[Patch]:
    return [(ConsumerLease, "valid_until", property(lambda self: self._valid_until + 60.0))]


def _no_heartbeats() -> list[Patch]:
    async def planted(_self: Any, _source: str) -> None:
        """Nothing is sent."""

    return [(Dispatcher, "_send_heartbeats", planted)]


def _drain_acks() -> list[Patch]:
    settle = Settlement._settle

    async def planted(self: Any, delivery: Any, outcome: Any, attempt: int) -> None:
        await settle(self, delivery, Duplicate() if isinstance(outcome, Interrupted) else outcome, attempt)

    return [(Settlement, "_settle", planted)]


PLANTED: dict[str, Callable[[], list[Patch]]] = {
    "ack before the commit": _ack_before_the_commit,
    "finish recorded before the answer": _finish_before_the_answer,
    "claim not given back on interruption": _claim_kept_on_interruption,
    "lease compared with the wrong clock": _lease_by_the_wrong_clock,
    "lease check left out": _no_lease_check,
    "in-doubt mail resent at once": _doubt_resent_at_once,
    "grace counted from the wrong moment": _grace_from_the_claim_alone,
    "event of a foreign instance taken": _foreign_events_taken,
    "duplicate window ignored": _no_duplicate_window,
    "duplicate: true taken for stored": _duplicate_taken_for_stored,
    "nak without delay": _nak_without_delay,
    "attempt counted on a throttle": _throttle_costs_an_attempt,
    "last attempt without dead letter": _last_attempt_without_dead_letter,
    "dead letter after the outcome": _dead_letter_after_the_outcome,
    "term before the dead letter": _term_before_the_dead_letter,
    "cancelled topic checked before the pacer only": _gate_before_the_pacer_only,
    "suppression checked by raw spelling": _suppression_by_spelling,
    "window cap dropped": _no_cap_on_the_window,
    "share not given up on lost touch": _share_kept_when_cut_off,
    "KV update without revision": _write_without_revision,
    "outcome projected twice": _outcome_shown_twice,
    "schedule claimed without publishing": _schedule_without_storing,
    "consumer lease ignored for one beat": _consumer_lease_ignored_for_a_beat,
    "heartbeat left out": _no_heartbeats,
    "drain that acks what it interrupts": _drain_acks,
}


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """Plant a fault until the block ends; None plants nothing."""
    with ExitStack() as patches:
        for target, attribute, replacement in PLANTED[name]() if name else ():
            patches.enter_context(mock.patch.object(target, attribute, replacement))
        yield
