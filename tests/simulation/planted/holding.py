"""Faults in how mail is held."""

from typing import Any

from email_consumer.holds.hold_list import HoldList
from email_consumer.ledgers import statements
from tests.simulation.planted.patch import Patch


def forgotten_over_a_restart() -> list[Patch]:
    """Hold forgotten over a restart."""

    async def planted(_self: Any) -> None:
        """Nothing is read."""

    return [(HoldList, "load", planted)]


def put_back_as_published() -> list[Patch]:
    """Held mail left as published: nobody publishes it again when the hold ends."""
    planted = statements.INSERT_SCHEDULED.replace(
        "published_at = iif(:put_back, NULL, published_at)", "published_at = published_at"
    )
    assert planted != statements.INSERT_SCHEDULED
    return [(statements, "INSERT_SCHEDULED", planted)]
