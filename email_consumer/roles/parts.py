"""What every role is built from: the settings, the metrics, the services, and the sources of mail."""

from dataclasses import dataclass, field

from email_consumer.core.burial import Burial, DeadLetters
from email_consumer.core.mail_queue import MailQueue
from email_consumer.core.metrics import Metrics
from email_consumer.core.readiness import Check
from email_consumer.roles.nats import NatsSource
from email_consumer.roles.sqs import SqsSource
from email_consumer.runtime.supervisor import Supervisor
from email_consumer.settings import Settings
from email_consumer.sources.dead_letters_by_source import DeadLettersBySource
from email_consumer.sources.joint_mail_queue import JointMailQueue


@dataclass(frozen=True, slots=True)
class Parts:
    """The same for all roles."""

    settings: Settings
    metrics: Metrics
    nats: NatsSource | None
    sqs: SqsSource | None
    services: Supervisor
    local: bool = False
    """Nobody but this machine is served."""
    checks: dict[str, Check] = field(default_factory=dict)
    """What `/ready` looks at beside the sources: each part that may let no mail through puts its own in."""
    burial: Burial = field(default_factory=Burial)

    def __post_init__(self) -> None:
        """`/ready` looks at the sources first."""
        self.checks.update({name: source.check for name, source in self.sources.items()})
        self.checks["dead_letters"] = self.burial.check

    @property
    def sources(self) -> dict[str, NatsSource | SqsSource]:
        """By the name that their deliveries carry; there is at least one."""
        named = {"nats": self.nats, "sqs": self.sqs}
        return {name: source for name, source in named.items() if source}

    @property
    def mail_queue(self) -> MailQueue:
        """Where mail is put that first came to us: the stream if there is one, since it keeps an order."""
        first, *others = (source.mail_queue for source in self.sources.values())
        return JointMailQueue(first, others[0]) if others else first

    @property
    def dead_letters_of_keeping(self) -> DeadLetters:
        """Where mail goes that first came to us, and can't be put into `mail_queue`."""
        return next(iter(self.sources.values())).dead_letters

    @property
    def dead_letters(self) -> DeadLetters:
        return DeadLettersBySource({name: source.dead_letters for name, source in self.sources.items()})
