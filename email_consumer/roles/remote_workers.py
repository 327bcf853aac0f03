"""Workers in other processes, as the sidecar sees them; see `Workers`."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import structlog

from email_consumer.aws.credentials import MissingCredentialsError
from email_consumer.cluster.shared_state_publisher import SharedStatePublisher
from email_consumer.core.account import Account
from email_consumer.core.link_secrets import LinkSecrets
from email_consumer.core.mail_group import Tally
from email_consumer.core.mail_queue import Mark
from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import TENANT_REFUSED, Sent
from email_consumer.feedback.application import knows_later
from email_consumer.feedback.events import Event
from email_consumer.ledgers.jetstream.bucket import ClaimBucket, ClaimsLostError, mark_sent
from email_consumer.ledgers.jetstream.mail_state import MailState
from email_consumer.ledgers.statements import KNOWN_AS_SENT
from email_consumer.message.fields import is_tag
from email_consumer.message.lane import Lane
from email_consumer.pipeline.gate import Gate
from email_consumer.reputation.standing import Ask
from email_consumer.roles.paced_sender import SesOptions
from email_consumer.runtime.supervisor import Service, Supervisor
from email_consumer.ses.governor import Governor
from email_consumer.store.database import Database

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AccountMonitor:
    """A governor that controls nothing: it only keeps the account and its metrics up to date."""

    metrics: Metrics
    governor: Governor | None
    """None if the sidecar has no credentials; the workers have theirs."""
    ask: Ask | None = None
    """Asks SES what it allows to be read."""

    @property
    def account(self) -> Account | None:
        """The SES account as of the last answer of SES."""
        return self.governor.account if self.governor else None

    def note_refusals(self, mails: Iterable[MailState]) -> None:
        """Note the tenants whose mail SES refused at any worker."""
        refused = self.metrics.refused_tenants
        for mail in mails:
            if refused is not None and mail["tenant"] and (mail["error"] or "").startswith(TENANT_REFUSED):
                refused[mail["tenant"]] = mail["error"]

    def count_sent(self, mails: Tally) -> None:
        """Count mails that were sent by any worker."""
        lanes = Counter[Lane]()
        for (_, _, bulk), count in mails.items():
            lanes[Lane.BULK if bulk else Lane.TRANSACTIONAL] += count
        if self.metrics.tally is not None:
            self.metrics.tally.update(mails)
        self.metrics.recipients_sent += mails.total()
        self.metrics.transactional_recipients_sent += lanes[Lane.TRANSACTIONAL]
        self.metrics.outcomes[Sent] += mails.total()
        self.metrics.sent_by_lane += lanes


async def monitor_account(options: SesOptions, services: Supervisor, *, reserved: bool) -> AccountMonitor:
    """Read the SES account regularly, if credentials exist. `reserved`: see `Governor`."""
    metrics = Metrics(rate=options.rate)
    try:
        client = await services.enter(options.client())
    except MissingCredentialsError as error:
        _log.info("account.not_asked", reason=str(error))
        return AccountMonitor(metrics, None)
    pace = _DisplayedPace(metrics)
    governor = Governor(
        rate=options.rate,
        pace=pace,
        metrics=metrics,
        account=client.account,
        quota_reserve=options.quota_reserve,
        reserved=reserved,
    )
    await governor.check_account()
    services.start(Service("account", governor.run))
    return AccountMonitor(metrics, governor, client.read)


@dataclass(frozen=True, slots=True)
class _DisplayedPace:
    """Shows in the metrics what the workers' governors decide from the same answers of SES."""

    metrics: Metrics

    def set_rate(self, rate: float) -> None:
        self.metrics.rate = rate

    def hold(self, _holder: str, reason: str) -> None:
        self.metrics.held, self.metrics.bulk_held = reason, ""

    def hold_bulk(self, _holder: str, reason: str) -> None:
        self.metrics.held, self.metrics.bulk_held = "", reason

    def resume(self, _holder: str) -> None:
        self.metrics.held = self.metrics.bulk_held = ""


class RemoteWorkers:
    """Reaches the workers through the shared-state bucket, and through the claims bucket for mail that events prove sent."""

    claims_visible = False

    def __init__(
        self,
        shared_state: SharedStatePublisher,
        claims: ClaimBucket,
        database: Database,
        gate: Gate,
        monitor: AccountMonitor,
        *,
        secrets: LinkSecrets,
        proven: Callable[[str, int], None],
    ) -> None:
        """`gate` is the sidecar's own, and decides on scheduled mail before it is stored. `secrets` sign links.

        `proven` is called with a mail's tag and the revision of its claim, which says since then that it was sent.
        """
        self.metrics = monitor.metrics
        self._monitor = monitor
        self._shared_state = shared_state
        self._claims = claims
        self._database = database
        self._gate = gate
        self._secrets = secrets
        self._proven = proven

    @property
    def account(self) -> Account | None:
        return self._monitor.account

    def cancel(self, topic_id: str, mark: Mark) -> None:
        self._gate.cancel(topic_id, mark)
        self._shared_state.cancel(topic_id, mark)

    def forget_cancellations(self, over: Callable[[Mark], bool]) -> None:
        self._shared_state.forget(over)

    def suppress(self, stops: Mapping[str, str]) -> None:
        self._shared_state.suppress(stops)

    def release(self, stop: str) -> None:
        self._shared_state.release(stop)

    def hold(self, keys: Mapping[str, bool]) -> None:
        self._gate.holds.replace(keys)
        self._shared_state.hold(keys)

    def events_expected_from(self, moment: float) -> None:
        self._shared_state.announce(self._secrets.kept, moment)

    async def sign_links(self) -> None:
        self._shared_state.sign_links(self._secrets.kept)
        await self._shared_state.stored()

    async def proven(self, event: Event) -> None:
        """Mark the claim as sent, so that no worker sends the mail again, even if the worker's own outcome has not arrived yet."""
        if event.tag is None or not is_tag(event.tag):  # sent by another program
            return
        known = await self._database.fetch(KNOWN_AS_SENT, (event.message_id,))
        if not known and not await knows_later(self._database, event):
            # What was sent longer ago is forgotten rightly: another mail may have its uuid now.
            recent = time.time() - event.accepted_at < self._claims.idempotency_ttl
            ours = event.instance is not None and recent
            if revision := await mark_sent(self._claims, event.tag, event.message_id, time.time(), ours=ours):
                self._proven(event.tag, revision)

    async def life(self, tag: str | None, message_id: str) -> int:
        if tag is None or not is_tag(tag) or await self._database.fetch(KNOWN_AS_SENT, (message_id,)):
            return 0
        try:
            found = await self._claims.read(tag)
        except ClaimsLostError:  # it is refilled from the tables
            return 0
        # A record without a claim begins no other mail: an event made it, of a mail that the bucket had forgotten.
        return found.life if found.record and found.record.claim else 0
