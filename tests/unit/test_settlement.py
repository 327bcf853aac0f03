"""A dead letter that has no place: the mail stays in its source, and in no slot."""

import pytest

from email_consumer.claim import Origin
from email_consumer.delivery import Original
from email_consumer.message import EmailMessage
from email_consumer.meters import Meters
from email_consumer.outcome import Exhausted, Held, Outcome, Parked, Rejected, Undecodable
from email_consumer.settlement import DeadLetterRefusedError, Settlement
from tests.unit.delivery import FakeDelivery
from tests.unit.granting_ledger import GrantingLedger

MAIL = EmailMessage(uuid="u-1", email="a@example.com", subject="s", body="b")
ORIGIN = Origin("nats", "messages:1", 1, 0.0)


class Full:
    async def store(self, _original: Original, _kind: str, _reason: str, _attempts: int) -> None:
        raise DeadLetterRefusedError("raise its max_payload")


@pytest.mark.parametrize(
    ("outcome", "attempt", "recorded"),
    [
        (Rejected("no such domain"), 1, [Held("no place for its dead letter: no such domain")]),
        (Exhausted("503"), 5, [Held("no place for its dead letter: 503")]),
        (Parked("no event came"), 0, []),
    ],
)
async def test_a_mail_is_looked_at_again_later_and_not_recorded_as_failed(
    outcome: Rejected | Exhausted | Parked, attempt: int, recorded: list[Outcome]
) -> None:
    ledger, meters, delivery = GrantingLedger(), Meters(), FakeDelivery()
    await Settlement(ledger, Full(), meters, retry_delay=5).settle(delivery, MAIL, outcome, ORIGIN, attempt)
    assert delivery.told == ["nak 600"]
    assert ledger.outcomes == recorded
    assert meters.outcomes[type(outcome)] == 1


async def test_poison_stays_in_its_source() -> None:
    delivery = FakeDelivery()
    await Settlement(GrantingLedger(), Full(), Meters(), retry_delay=5).discard(
        delivery, Undecodable("not MessagePack")
    )
    assert delivery.told == ["nak 600"]
