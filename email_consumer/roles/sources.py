"""The sources that SOURCE can name, and how each is opened. A new source is a folder in `sources/` and a line here."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from email_consumer.core.dead_letters import DeadLetterStore
from email_consumer.core.source import Source
from email_consumer.roles.sqs import open_sqs
from email_consumer.runtime.supervisor import Supervisor
from email_consumer.settings import Settings


@dataclass(frozen=True, slots=True)
class Opening:
    """What a source may need to be opened."""

    settings: Settings
    services: Supervisor
    take_consumer: Callable[[], Awaitable[Source]]
    """Waits for the consumer lease, as the role requires."""
    fallback: DeadLetterStore | None
    """The store of the source opened first, for sources that can't store dead letters."""


Open = Callable[[Opening], Awaitable[Source]]

SOURCES: Mapping[str, Open] = {
    "nats": lambda opening: opening.take_consumer(),
    "sqs": lambda opening: open_sqs(opening.settings, opening.fallback, opening.services),
}
"""By name in SOURCE, in the order in which they are opened."""


async def open_sources(
    settings: Settings, services: Supervisor, take_consumer: Callable[[], Awaitable[Source]]
) -> tuple[Source, ...]:
    """Open the sources that SOURCE names.

    Raises:
        OperatorError: something a source depends on is missing or in use.
    """
    opened: list[Source] = []
    for name, open_ in SOURCES.items():
        if name in settings.source:
            fallback = opened[0].dead_letters if opened else None
            opened.append(await open_(Opening(settings, services, take_consumer, fallback)))
    return tuple(opened)
