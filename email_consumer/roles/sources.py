"""The sources of mail that SOURCE can name, and how each is opened. A new one is a folder in `sources/` and a line here."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from email_consumer.core.dead_letters import DeadLetterStore
from email_consumer.core.source import Source
from email_consumer.roles.sqs import open_sqs
from email_consumer.runtime.supervisor import Supervisor
from email_consumer.settings import Settings


@dataclass(frozen=True, slots=True)
class Opening:
    """What a source may need in order to be opened."""

    settings: Settings
    services: Supervisor
    take_consumer: Callable[[], Awaitable[Source]]
    """Waits, in the way of the role, for the right to the stream's consumer."""
    fallback: DeadLetterStore | None
    """Of the source before it, for one whose dead letters have no place of their own."""


Open = Callable[[Opening], Awaitable[Source]]

SOURCES: Mapping[str, Open] = {
    "nats": lambda opening: opening.take_consumer(),
    "sqs": lambda opening: open_sqs(opening.settings, opening.fallback, opening.services),
}
"""By their names in SOURCE, in the order in which they are opened."""


async def open_sources(
    settings: Settings, services: Supervisor, take_consumer: Callable[[], Awaitable[Source]]
) -> tuple[Source, ...]:
    """All that SOURCE names.

    Raises:
        OperatorError: something a source needs isn't there, or another one has it.
    """
    opened: list[Source] = []
    for name, open_ in SOURCES.items():
        if name in settings.source:
            fallback = opened[0].dead_letters if opened else None
            opened.append(await open_(Opening(settings, services, take_consumer, fallback)))
    return tuple(opened)
