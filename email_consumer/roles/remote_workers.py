"""The workers in processes of their own, as the sidecar knows them; see `Workers`."""

import time
from dataclasses import dataclass

import structlog

from email_consumer.cluster.shared_state_publisher import SharedStatePublisher
from email_consumer.core.account import Account
from email_consumer.core.link_secrets import LinkSecrets
from email_consumer.core.mail_queue import Mark
from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import Sent
from email_consumer.feedback.events import Event
from email_consumer.ledgers.jetstream.bucket import ClaimBucket, mark_sent
from email_consumer.message.fields import is_tag
from email_consumer.pipeline.gate import Gate
from email_consumer.roles.paced_sender import ses_client
from email_consumer.runtime.supervisor import Service, Supervisor
from email_consumer.ses.governor import Governor
from email_consumer.ses.session import MissingCredentialsError
from email_consumer.settings import Settings
from email_consumer.store.database import Database
from email_consumer.store.status import Status

_KNOWN_AS_SENT = "SELECT 1 FROM email_requests WHERE message_id = ? AND status = ?"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AccountMonitor:
    """A governor that steers nothing."""

    metrics: Metrics
    governor: Governor | None
    """None: there are no credentials here; the workers have theirs."""

    @property
    def account(self) -> Account | None:
        """SES's last word on it."""
        return self.governor.account if self.governor else None

    def count_sent(self, mails: int) -> None:
        """So many more were sent, by whichever worker."""
        self.metrics.recipients_sent += mails
        self.metrics.outcomes[Sent] += mails


async def monitor_account(settings: Settings, services: Supervisor) -> AccountMonitor:
    """Ask SES now and then, if we may."""
    metrics = Metrics(rate=settings.ses_rate_per_sec)
    try:
        client = await services.enter(ses_client(settings))
    except MissingCredentialsError as error:
        _log.info("account.not_asked", reason=str(error))
        return AccountMonitor(metrics, None)
    pace = _ShownPace(metrics)
    governor = Governor(rate=settings.ses_rate_per_sec, pace=pace, metrics=metrics, account=client.account)
    await governor.check_account()
    services.start(Service("account", governor.run))
    return AccountMonitor(metrics, governor)


@dataclass(frozen=True, slots=True)
class _ShownPace:
    """What the workers' governors decide from the same answers of SES."""

    metrics: Metrics

    def set_rate(self, rate: float) -> None:
        self.metrics.rate = rate

    def hold(self, _holder: str, reason: str) -> None:
        self.metrics.held = reason

    def resume(self, _holder: str) -> None:
        self.metrics.held = ""


class RemoteWorkers:
    """Told through the facts bucket; what SES's events prove is told through the bucket of claims."""

    claims_visible = False

    def __init__(
        self,
        facts: SharedStatePublisher,
        claims: ClaimBucket,
        database: Database,
        gate: Gate,
        monitor: AccountMonitor,
        *,
        secrets: LinkSecrets,
    ) -> None:
        """`gate` is the sidecar's own: mail on its way into our keeping is asked about there. `secrets` sign links."""
        self.metrics = monitor.metrics
        self._monitor = monitor
        self._facts = facts
        self._claims = claims
        self._database = database
        self._gate = gate
        self._secrets = secrets
        self.suppress = facts.suppress
        self.release = facts.release

    @property
    def account(self) -> Account | None:
        return self._monitor.account

    def cancel(self, topic_id: str, mark: Mark) -> None:
        self._gate.cancel(topic_id, mark)
        self._facts.cancel(topic_id, mark)

    def events_expected_from(self, moment: float) -> None:
        self._facts.announce(self._secrets.kept, moment)

    async def sign_links(self) -> None:
        self._facts.sign_links(self._secrets.kept)
        await self._facts.stored()

    async def proven(self, event: Event) -> None:
        """A worker must not send again what the event proves, whether or not its own word has come here yet."""
        if event.tag is None or not is_tag(event.tag):  # another program's, which may be anything
            return
        known = await self._database.fetch(_KNOWN_AS_SENT, (event.message_id, Status.SENT))
        if not known:
            ours = event.instance is not None
            await mark_sent(self._claims, event.tag, event.message_id, time.time(), ours=ours)
