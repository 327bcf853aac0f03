"""Faults to plant into the program: each has to be found, or the simulation has grown blind to its kind."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

from tests.simulation.planted import claims, pacing, settling
from tests.simulation.planted.patch import Patch

PLANTED: dict[str, Callable[[], list[Patch]]] = {
    "ack before the commit": settling.ack_before_the_commit,
    "finish recorded before the answer": claims.finish_before_the_answer,
    "claim not given back on interruption": claims.claim_kept_on_interruption,
    "lease compared with the wrong clock": claims.lease_by_the_wrong_clock,
    "lease check left out": claims.no_lease_check,
    "in-doubt mail resent at once": claims.doubt_resent_at_once,
    "grace counted from the wrong moment": claims.grace_from_the_claim_alone,
    "event of a foreign instance taken": claims.foreign_events_taken,
    "duplicate window ignored": claims.no_duplicate_window,
    "duplicate: true taken for stored": settling.duplicate_taken_for_stored,
    "nak without delay": settling.nak_without_delay,
    "attempt counted on a throttle": settling.throttle_costs_an_attempt,
    "last attempt without dead letter": settling.last_attempt_without_dead_letter,
    "dead letter after the outcome": settling.dead_letter_after_the_outcome,
    "term before the dead letter": settling.term_before_the_dead_letter,
    "cancelled topic checked before the pacer only": pacing.gate_before_the_pacer_only,
    "suppression checked by raw spelling": pacing.suppression_by_spelling,
    "window cap dropped": pacing.no_cap_on_the_window,
    "share not given up on lost touch": pacing.share_kept_when_cut_off,
    "KV update without revision": claims.write_without_revision,
    "outcome projected twice": settling.outcome_shown_twice,
    "schedule claimed without publishing": settling.schedule_without_storing,
    "consumer lease ignored for one beat": pacing.consumer_lease_ignored_for_a_beat,
    "heartbeat left out": settling.no_heartbeats,
    "drain that acks what it interrupts": settling.drain_acks,
}


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """Plant a fault until the block ends; None plants nothing."""
    with ExitStack() as patches:
        for target, attribute, replacement in PLANTED[name]() if name else ():
            patches.enter_context(mock.patch.object(target, attribute, replacement))
        yield
