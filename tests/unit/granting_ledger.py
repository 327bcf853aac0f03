"""A ledger that grants every claim and records the outcomes."""

import math
from contextlib import AbstractAsyncContextManager, nullcontext

from email_consumer.core.ledger import Claim, Origin
from email_consumer.core.outcome import Outcome, Scheduled
from email_consumer.message.model import EmailMessage


class GrantingLedger:
    """See `email_consumer.core.ledger.Ledger`."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.held: list[str] = []
        """Keys of the holds that mail was stored for."""
        self.scheduled: list[EmailMessage] = []
        self.events_since = 0.0

    def running(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    def events_expected_from(self, moment: float) -> None:
        self.events_since = moment

    def known(self, _message: EmailMessage) -> None:
        return None

    async def claim(self, _message: EmailMessage, _origin: Origin) -> Claim:
        return Claim(1, math.inf)

    async def finish(self, _message: EmailMessage, outcome: Outcome, _origin: Origin) -> None:
        self.outcomes.append(outcome)

    async def schedule(self, message: EmailMessage, _origin: Origin, held_by: str | None = None) -> Scheduled:
        self.scheduled.append(message)
        self.held += [held_by] if held_by else []
        return Scheduled()
