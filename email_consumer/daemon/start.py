"""What every role starts with: the ledger's file, and the sources of mail."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from uuid import uuid4

from email_consumer.admission.gate import Gate
from email_consumer.daemon.background import Background
from email_consumer.daemon.nats import NatsSource, open_nats
from email_consumer.daemon.sqs import SqsSource, open_sqs
from email_consumer.intake.dead_letters_by_source import DeadLettersBySource
from email_consumer.mail_queue import MailQueue
from email_consumer.meters import Meters
from email_consumer.settings import Settings
from email_consumer.settlement import DeadLetters
from email_consumer.store.database import Database, open_database
from email_consumer.store.facts import keep_fact


@dataclass(frozen=True, slots=True)
class Ground:
    """What the roles stand on."""

    settings: Settings
    meters: Meters
    gate: Gate
    database: Database
    nats: NatsSource | None
    sqs: SqsSource | None
    secret: str
    """Signs the links in mails."""
    background: list[Background]

    @property
    def sources(self) -> dict[str, NatsSource | SqsSource]:
        """By the name that their deliveries carry; there is at least one."""
        named = {"nats": self.nats, "sqs": self.sqs}
        return {name: source for name, source in named.items() if source}

    @property
    def mail_queue(self) -> MailQueue:
        """Where mail is put that first came to us: the stream if there is one, since it keeps an order."""
        return next(iter(self.sources.values())).mail_queue

    @property
    def dead_letters(self) -> DeadLetters:
        return DeadLettersBySource({name: source.dead_letters for name, source in self.sources.items()})


async def prepare(settings: Settings, stack: AsyncExitStack) -> Ground:
    """Open the file, then the sources; wait until the stream's consumer is ours."""
    background: list[Background] = []
    database = await stack.enter_async_context(open_database(settings.db_path))
    nats = await open_nats(settings, database, background, stack) if "nats" in settings.source else None
    sqs = await open_sqs(settings, nats.dead_letters if nats else None, stack) if "sqs" in settings.source else None
    return Ground(
        settings=settings,
        meters=Meters(),
        gate=Gate(),
        database=database,
        nats=nats,
        sqs=sqs,
        secret=await keep_fact(database, "secret", lambda: uuid4().hex),
        background=background,
    )
