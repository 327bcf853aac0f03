"""Builds a role, with patience where JetStream gives no answer for a while, and says in plain words what is wrong."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack

import structlog
from nats.errors import Error as NatsError

from email_consumer.core.mail_queue import QueueUnavailableError
from email_consumer.jetstream.watch import WatchBrokenError
from email_consumer.roles.role import Role
from email_consumer.runtime.errors import OperatorError
from email_consumer.runtime.tasks import end, until_done
from email_consumer.settings import Settings

Build = Callable[[Settings, AsyncExitStack], Coroutine[None, None, Role]]

_PATIENCE = 30.0
"""Seconds: an election, or a server that restarts, takes less."""
_PAUSE = 1.0
_NO_ANSWER = (NatsError, TimeoutError, WatchBrokenError, QueueUnavailableError)

_log = structlog.get_logger(__name__)


async def start(build: Build, settings: Settings, stack: AsyncExitStack) -> Role:
    """A role whose parts end with `stack`.

    Raises:
        OperatorError: something it needs isn't there.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + _PATIENCE
    while True:
        try:
            async with AsyncExitStack() as parts:
                role = await build(settings, parts)
                stack.push_async_callback(parts.pop_all().aclose)
                return role
        except _NO_ANSWER as error:
            if loop.time() > give_up_at:
                raise OperatorError(f"the queue of mail gave no answer: {str(error) or repr(error)}") from error
            _log.warning("daemon.start_delayed", error=str(error) or repr(error), retry_in=_PAUSE)
            await asyncio.sleep(_PAUSE)


async def unless(stop: asyncio.Event, starting: Coroutine[None, None, Role]) -> Role | None:
    """What was started, or None where a signal came first."""
    stopped = asyncio.create_task(stop.wait())
    try:
        started = await until_done(starting, stopped)
    finally:
        await end(stopped)
    return None if started.cancelling() else started.result()
