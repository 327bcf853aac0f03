"""Faults in what stops or delays mail: cancellations, suppressions, the rate, shares of it, and the consumer lease."""

import math
from contextvars import ContextVar
from typing import Any

from email_consumer.cluster import share_rule
from email_consumer.cluster.membership import Membership
from email_consumer.ledgers import sqlite
from email_consumer.ledgers.jetstream import ledger as jetstream_ledger
from email_consumer.message.content import Content
from email_consumer.message.lane import Lane
from email_consumer.pipeline import gate
from email_consumer.pipeline.gate import Gate
from email_consumer.pipeline.pacer import Pacer
from email_consumer.pipeline.waiting_mail import WaitingMail
from email_consumer.sources.jetstream.consumer_lease import ConsumerLease
from tests.simulation.planted.patch import Patch

_released: ContextVar[bool] = ContextVar("released", default=False)


def gate_before_the_pacer_only() -> list[Patch]:
    """Cancelled topic checked before the pacer only."""
    acquire, check = Pacer.acquire, Gate.check

    async def planted_acquire(self: Any, recipients: int, _stopped: Any, *lane: Any) -> bool:
        released = await acquire(self, recipients, lambda: None, *lane)
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


def suppression_by_spelling() -> list[Patch]:
    """Suppression checked by raw spelling."""
    return [(gate, "normal_form", str)]


def no_cap_on_the_window() -> list[Patch]:
    """Window cap dropped."""

    def planted(_self: Any, _recipients: int, now: float) -> float:
        return now

    return [(Pacer, "_room_at", planted)]


def share_kept_when_cut_off() -> list[Patch]:
    """Share not given up on lost touch."""
    return [
        (Membership, "valid_until", math.inf),
        (share_rule.Roster, "valid_until", 0.0),
        (share_rule.Roster, "_lapse_if_due", lambda *_: None),
        (share_rule.Roster, "lost", lambda *_: None),
    ]


def consumer_lease_ignored_for_a_beat() -> list[Patch]:
    """Consumer lease ignored for one beat."""
    return [(ConsumerLease, "valid_until", property(lambda self: self._valid_until + 60.0))]


def bulk_mail_first() -> list[Patch]:
    """Lanes in the order of their mail."""

    def planted(self: Any) -> Any:
        waiting = [each for each in self if not each.future.done() and not (self.bulk_held and each.lane is Lane.BULK)]
        return next((each for each in waiting if each.lane is Lane.BULK), waiting[0] if waiting else None)

    return [(WaitingMail, "next", planted)]


def no_floor_for_bulk_mail() -> list[Patch]:
    """Floor of bulk mail ignored."""
    take = WaitingMail.take

    def planted(self: Any, waiter: Any) -> None:
        self._share = 0.0
        take(self, waiter)

    return [(WaitingMail, "take", planted)]


def lane_lost_in_the_rows() -> list[Patch]:
    """Lane not kept with scheduled mail."""
    return [(Content, "lane_name", property(lambda _: "bulk"))]
