"""The sources that SOURCE can name, and how each is opened. A new source is a folder in `sources/` and a line here."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from email_consumer.core.dead_letters import DeadLetterStore
from email_consumer.core.source import Source
from email_consumer.roles.sqs import SqsOptions, open_sqs
from email_consumer.runtime.supervisor import Supervisor
from email_consumer.sources.jetstream.source import JetStreamSource


@dataclass(frozen=True, slots=True)
class SourceOptions:
    names: Collection[str]
    """In `SOURCES`."""
    sqs: SqsOptions


@dataclass(frozen=True, slots=True)
class Opening:
    """What a source may need to be opened."""

    options: SourceOptions
    services: Supervisor
    take_consumer: Callable[[], Awaitable[JetStreamSource]]
    """Waits for the consumer lease, as the role requires."""
    fallback: DeadLetterStore | None
    """The store of the source opened first, for sources that can't store dead letters."""


Open = Callable[[Opening], Awaitable[tuple[Source, ...]]]
"""Returns a source for each lane, that of bulk mail first."""


async def _open_nats(opening: Opening) -> tuple[Source, ...]:
    return lanes_of(await opening.take_consumer())


async def _open_sqs(opening: Opening) -> tuple[Source, ...]:
    return await open_sqs(opening.options.sqs, opening.fallback, opening.services)


SOURCES: Mapping[str, Open] = {"nats": _open_nats, "sqs": _open_sqs}
"""By name in SOURCE, in the order in which they are opened."""


async def open_sources(
    options: SourceOptions, services: Supervisor, take_consumer: Callable[[], Awaitable[JetStreamSource]]
) -> tuple[Source, ...]:
    """Open the sources that SOURCE names.

    Raises:
        OperatorError: something a source depends on is missing or in use.
    """
    opened: list[Source] = []
    for name, open_ in SOURCES.items():
        if name in options.names:
            fallback = opened[0].dead_letters if opened else None
            opened += await open_(Opening(options, services, take_consumer, fallback))
    return tuple(opened)


def lanes_of(nats: JetStreamSource) -> tuple[JetStreamSource, ...]:
    """The lanes that the mail stream has, bulk first."""
    transactional = nats.transactional()
    return (nats, transactional) if transactional else (nats,)
