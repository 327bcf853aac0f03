"""Faults to plant into the program: each has to be found, or the simulation has grown blind to its kind."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from unittest import mock

from tests.simulation.planted import claims, events_out, holding, pacing, settling
from tests.simulation.planted.patch import Patch


@dataclass(frozen=True, slots=True)
class Planted:
    """A fault, and where to look for it."""

    plant: Callable[[], list[Patch]]
    scenario: str
    """The one that finds it soonest."""


PLANTED: dict[str, Planted] = {
    "ack before the commit": Planted(settling.ack_before_the_commit, "run"),
    "finish recorded before the answer": Planted(claims.finish_before_the_answer, "run"),
    "claim not given back on interruption": Planted(claims.claim_kept_on_interruption, "roles"),
    "lease compared with the wrong clock": Planted(claims.lease_by_the_wrong_clock, "clocks"),
    "lease check left out": Planted(claims.no_lease_check, "roles"),
    "in-doubt mail resent at once": Planted(claims.doubt_resent_at_once, "clocks"),
    "grace counted from the wrong moment": Planted(claims.grace_from_the_claim_alone, "doubt"),
    "event of a foreign instance taken": Planted(claims.foreign_events_taken, "run"),
    "duplicate window ignored": Planted(claims.no_duplicate_window, "run"),
    "duplicate: true taken for stored": Planted(settling.duplicate_taken_for_stored, "dead letters"),
    "nak without delay": Planted(settling.nak_without_delay, "run"),
    "attempt counted on a throttle": Planted(settling.throttle_costs_an_attempt, "run"),
    "last attempt without dead letter": Planted(settling.last_attempt_without_dead_letter, "run"),
    "dead letter after the outcome": Planted(settling.dead_letter_after_the_outcome, "run"),
    "term before the dead letter": Planted(settling.term_before_the_dead_letter, "run"),
    "cancelled topic checked before the pacer only": Planted(pacing.gate_before_the_pacer_only, "run"),
    "suppression checked by raw spelling": Planted(pacing.suppression_by_spelling, "run"),
    "bulk mail before transactional mail": Planted(pacing.bulk_mail_first, "run"),
    "floor of bulk mail ignored": Planted(pacing.no_floor_for_bulk_mail, "run"),
    "lane not kept in the tables": Planted(pacing.lane_lost_in_the_rows, "run"),
    "window cap dropped": Planted(pacing.no_cap_on_the_window, "run"),
    "share not given up on lost touch": Planted(pacing.share_kept_when_cut_off, "roles"),
    "KV update without revision": Planted(claims.write_without_revision, "roles"),
    "outcome projected twice": Planted(settling.outcome_shown_twice, "roles"),
    "schedule claimed without publishing": Planted(settling.schedule_without_storing, "run"),
    "consumer lease ignored for one beat": Planted(pacing.consumer_lease_ignored_for_a_beat, "takeover"),
    "takeover doubts unknown mail alone": Planted(claims.takeover_doubts_unknown_mail_alone, "takeover"),
    "heartbeat left out": Planted(settling.no_heartbeats, "run"),
    "drain that acks what it interrupts": Planted(settling.drain_acks, "run"),
    "event written outside of the transaction": Planted(events_out.row_after_the_transaction, "run"),
    "hold forgotten over a restart": Planted(holding.forgotten_over_a_restart, "holds"),
    "held mail left as published": Planted(holding.put_back_as_published, "holds"),
    "event published without an acknowledgement": Planted(events_out.published_without_an_acknowledgement, "run"),
}


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """Plant a fault until the block ends; None plants nothing."""
    with ExitStack() as patches:
        for target, attribute, replacement in PLANTED[name].plant() if name else ():
            patches.enter_context(mock.patch.object(target, attribute, replacement))
        yield
