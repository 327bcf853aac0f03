"""The workers as the sidecar sees them: what it passes on to them, and what it learns about the account through them."""

from collections.abc import Callable, Mapping
from typing import Protocol

from email_consumer.core.account import Account
from email_consumer.core.mail_queue import Mark
from email_consumer.core.metrics import Metrics
from email_consumer.feedback.events import Event
from email_consumer.ledgers.sqlite import SqliteLedger
from email_consumer.pipeline.gate import Gate
from email_consumer.ses.governor import Governor


class Workers(Protocol):
    """One worker in the sidecar's own process, or any number of workers in other processes."""

    claims_visible: bool
    """Whether the tables show each claim as soon as it is made."""
    metrics: Metrics
    """What the workers did, as far as this process knows."""

    @property
    def account(self) -> Account | None:
        """The SES account as of the last answer of SES."""

    def cancel(self, topic_id: str, mark: Mark) -> None:
        """Stop mail of the topic that was stored up to `mark`."""

    def forget_cancellations(self, over: Callable[[Mark], bool]) -> None:
        """Forget earlier cancellations that are `over`: no mail that they cover can come."""

    def suppress(self, stops: Mapping[str, str]) -> None:
        """Stop mail; the keys are as `suppression.stop_key` makes them, the values are the reasons."""

    def release(self, stop: str) -> None:
        """Undo what `suppress` did for this key."""

    def hold(self, keys: Mapping[str, bool]) -> None:
        """Hold mail with exactly these keys; the values: whether transactional mail is held as well."""

    async def sign_links(self) -> None:
        """Announce a new secret for links; returns once every worker can know it."""

    def events_expected_from(self, moment: float) -> None:
        """Announce that events from SES can reach us since `moment` (Unix seconds)."""

    async def proven(self, event: Event) -> None:
        """Record that SES accepted the mail of `event`, before the event itself is applied to the tables."""

    async def life(self, tag: str | None, message_id: str) -> int:
        """The revision since which a tag belongs to its present mail; 0 if the tables show the mail with this id of SES."""


class EmbeddedWorker:
    """The only worker, in the same process as the sidecar; see `Workers`."""

    claims_visible = True

    def __init__(self, gate: Gate, ledger: SqliteLedger, governor: Governor, metrics: Metrics) -> None:
        self.metrics = metrics
        self._gate = gate
        self._ledger = ledger
        self._governor = governor

    @property
    def account(self) -> Account | None:
        return self._governor.account

    def cancel(self, topic_id: str, mark: Mark) -> None:
        self._gate.cancel(topic_id, mark)

    def forget_cancellations(self, over: Callable[[Mark], bool]) -> None:
        """Nothing to do: the gate knows those of this process."""

    def suppress(self, stops: Mapping[str, str]) -> None:
        self._gate.suppress(stops)

    def release(self, stop: str) -> None:
        self._gate.release(stop)

    def hold(self, keys: Mapping[str, bool]) -> None:
        self._gate.holds.replace(keys)

    async def sign_links(self) -> None:
        """Nothing to do: both use the same `LinkSecrets`."""

    def events_expected_from(self, moment: float) -> None:
        self._ledger.events_expected_from(moment)

    async def proven(self, event: Event) -> None:
        """Nothing to do: the tables to which the event is applied are the ledger."""

    async def life(self, _tag: str | None, _message_id: str) -> int:
        return 0
