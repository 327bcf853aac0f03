"""What every role is built from: metrics, services, and the sources of mail."""

from dataclasses import dataclass, field

from email_consumer.core.dead_letter_writer import DeadLetterWriter
from email_consumer.core.dead_letters import DeadLetterArchive, DeadLetterStore
from email_consumer.core.mail_queue import MailQueue
from email_consumer.core.metrics import Metrics
from email_consumer.core.readiness import Check
from email_consumer.core.safe_mode import Kind as SafeModeKind
from email_consumer.core.safe_mode import SafeMode
from email_consumer.core.source import Source
from email_consumer.runtime.supervisor import Supervisor
from email_consumer.sources.dead_letters_by_source import DeadLettersBySource
from email_consumer.sources.joint_mail_queue import JointMailQueue


@dataclass(frozen=True, slots=True)
class Parts:
    """The same for all roles."""

    metrics: Metrics
    sources: tuple[Source, ...]
    """At least one; the first one takes mail that came to us first, and its dead letters."""
    services: Supervisor
    safe_mode: SafeMode | None = None
    local: bool = False
    """Only requests from this machine are served."""
    checks: dict[str, Check] = field(default_factory=dict)
    """The checks of `/ready`, by name: every part that may block mail adds its own."""
    dead_letter_writer: DeadLetterWriter = field(default_factory=DeadLetterWriter)

    def __post_init__(self) -> None:
        """The checks of the sources come first."""
        self.checks.update({source.name: source.check for source in self.sources})
        self.checks["dead_letters"] = self.dead_letter_writer.check
        self.metrics.safe_mode = self.safe_mode is not None

    @property
    def safe_mode_kind(self) -> SafeModeKind:
        """What happens to mail for others than the allowed addresses."""
        return self.safe_mode.kind if self.safe_mode else "off"

    @property
    def valid_until(self) -> float:
        """By `runtime.clock.elapsed`: until then all sources are surely ours."""
        return min(source.valid_until for source in self.sources)

    @property
    def mail_queue(self) -> MailQueue:
        """Where mail is put that first came to us."""
        first = self.sources[0].mail_queue
        if any(source.ordered for source in self.sources if source.mail_queue is not first):
            raise ValueError("a moment can be noted in one ordered source, which has to be the first")
        return JointMailQueue(first, *self.other_mail_queues) if self.other_mail_queues else first

    @property
    def other_mail_queues(self) -> list[MailQueue]:
        """Those of further sources."""
        by_identity = {id(source.mail_queue): source.mail_queue for source in self.sources}  # lanes share their queue
        return [*by_identity.values()][1:]

    @property
    def dead_letters_of_keeping(self) -> DeadLetterStore:
        """Where mail goes that first came to us, and can't be put into `mail_queue`."""
        return self.sources[0].dead_letters

    @property
    def dead_letters(self) -> DeadLetterStore:
        return DeadLettersBySource({(source.origin, source.lane): source.dead_letters for source in self.sources})

    @property
    def archives(self) -> list[DeadLetterArchive]:
        """Dead letters that operators can read here."""
        return [source.archive for source in self.sources if source.archive]
