"""What of the program is replaced while a world runs: its way to other machines, and what only reports."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any
from unittest import mock

import structlog

from email_consumer.dashboard import page
from email_consumer.dashboard.sampler import Sampler
from email_consumer.jetstream import connection
from email_consumer.ledgers.jetstream import guard, keeper, streams
from email_consumer.observe import loop_lag, rate_line
from email_consumer.roles import http, monitoring
from email_consumer.ses.session import AwsSession
from email_consumer.ses.transport import Session
from email_consumer.store import database
from tests.simulation.world import World

CRASHES = frozenset({"service.crashed", "delivery.crashed", "send.crashed", "observer.crashed", "events.crashed"})
"""Log events of errors that nothing in the program expects."""
_LOOKS_AT_CLAIMS, _LOOKS_AT_STREAMS = 4.0, 20.0
"""Seconds between two of them."""


@contextmanager
def installed(
    world: World,
    *,
    nats_client: Callable[[], Any],
    open_session: Callable[..., Awaitable[Session]],
    tracing: bool,
    crashes: list[str],
    directory: Path,
) -> Iterator[None]:
    """Replace the seams until the block ends.

    Args:
        world: gets the log as a trace.
        nats_client: makes a client of the modelled NATS.
        open_session: as `AwsSession.open`, to the modelled SES.
        tracing: whether anybody reads the trace.
        crashes: gets what the program logs about errors that it did not expect.
        directory: of the world's files; its random name is left out of the trace, which a seed repeats.
    """
    with ExitStack() as patches:
        for target, name, replacement in (
            (connection, "SteadyClient", nats_client),
            (AwsSession, "open", open_session),
            # What only reports costs more than what it reports on, and changes nothing.
            (rate_line, "report", _rest),
            (loop_lag, "measure", _rest),
            (Sampler, "run", _rest),
            (monitoring, "_keep_sampling", _rest),
            # Nothing may depend on how soon it is seen that something was lost, and each look costs requests.
            (guard, "_INTERVAL", _LOOKS_AT_CLAIMS),
            (keeper, "_INTERVAL", _LOOKS_AT_CLAIMS),
            (streams, "_CHECK_EVERY", _LOOKS_AT_STREAMS),
            # Read at every start, and always the same.
            (http, "version", cache(metadata.version)),
            (database, "_steps", cache(database._steps)),
            (page, "_read", lambda _folder: ()),
        ):
            patches.enter_context(mock.patch.object(target, name, replacement))
        patches.enter_context(_logging(world, tracing=tracing, crashes=crashes, directory=directory))
        yield


async def _rest(*_: object) -> None:
    await asyncio.Event().wait()


@contextmanager
def _logging(world: World, *, tracing: bool, crashes: list[str], directory: Path) -> Iterator[None]:
    def capture(_logger: object, _level: str, fields: dict[str, Any]) -> dict[str, Any]:
        event = str(fields.pop("event"))
        error = fields.pop("exc_info", None)
        error = sys.exc_info()[1] if error is True else error
        if event in CRASHES:
            crashes.append(f"{event} {fields} {error!r}")
        if tracing:
            shown = {name: str(value).replace(f"{directory}/", "") for name, value in fields.items() if name != "hint"}
            world.trace(event, **shown)
        raise structlog.DropEvent

    with _configured(capture, level="debug" if tracing else "warning"):
        yield


@contextmanager
def silent_logging() -> Iterator[None]:
    """Log nothing until the block ends: coroutines of a world that is over may still complain."""

    def drop(*_: object) -> dict[str, Any]:
        raise structlog.DropEvent

    with _configured(drop, level="critical"):
        yield


@contextmanager
def _configured(*processors: Any, level: str) -> Iterator[None]:
    before = structlog.get_config()
    structlog.configure(
        processors=list(processors),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.ReturnLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)
