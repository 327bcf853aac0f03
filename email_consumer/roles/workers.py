"""The workers as the sidecar knows them: what it tells them, and what it learns of the account through them."""

from collections.abc import Mapping
from typing import Protocol

from email_consumer.core.account import Account
from email_consumer.core.mail_queue import Mark
from email_consumer.core.metrics import Metrics
from email_consumer.feedback.events import Event
from email_consumer.ledgers.sqlite import SqliteLedger
from email_consumer.pipeline.gate import Gate
from email_consumer.ses.governor import Governor


class Workers(Protocol):
    """In the sidecar's own process, or in others."""

    claims_visible: bool
    """Whether the tables show each claim as soon as it is made."""
    metrics: Metrics
    """What they did, as far as it is known here."""

    @property
    def account(self) -> Account | None:
        """SES's last word on it."""

    def cancel(self, topic_id: str, mark: Mark) -> None:
        """Mail of the topic that was stored up to this moment must not be sent."""

    def suppress(self, addresses: Mapping[str, str]) -> None:
        """No mail to these (in normal form), each with its reason."""

    def release(self, address: str) -> None:
        """Mail to the address (in normal form) passes again."""

    async def sign_links(self) -> None:
        """Links are signed with another secret from now on; returns when each worker can know it."""

    def events_expected_from(self, moment: float) -> None:
        """SES's events can reach us since then (Unix seconds)."""

    async def proven(self, event: Event) -> None:
        """SES accepted the mail that the event is about; what follows from it is about to be written down."""


class EmbeddedWorker:
    """The one worker beside the sidecar in one process; see `Workers`."""

    claims_visible = True

    def __init__(self, gate: Gate, ledger: SqliteLedger, governor: Governor, metrics: Metrics) -> None:
        self.metrics = metrics
        self._governor = governor
        self.cancel = gate.cancel
        self.suppress = gate.suppress
        self.release = gate.release
        self.events_expected_from = ledger.events_expected_from

    @property
    def account(self) -> Account | None:
        return self._governor.account

    async def sign_links(self) -> None:
        """Nothing to do: the secrets are the same object."""

    async def proven(self, event: Event) -> None:
        """Nothing to do: the tables, which say so in a moment, are the ledger."""
