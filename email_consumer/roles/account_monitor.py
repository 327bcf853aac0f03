"""What the sidecar shows of the workers' pace: the account's limits, and how much was sent by all of them."""

from dataclasses import dataclass

import structlog

from email_consumer.core.account import Account
from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import Sent
from email_consumer.roles.outlet import ses_client
from email_consumer.runtime.supervisor import Service, Supervisor
from email_consumer.ses.governor import Governor
from email_consumer.ses.session import MissingCredentialsError
from email_consumer.settings import Settings

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
    await governor.look()
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
