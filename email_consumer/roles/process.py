"""The life of a process: its role is built, runs until a signal comes, and is drained."""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from functools import partial
from importlib.metadata import version

import structlog
from nats.errors import Error as NatsError

from email_consumer.core.mail_queue import QueueUnavailableError
from email_consumer.jetstream.watch import WatchBrokenError
from email_consumer.roles.run import build_run
from email_consumer.roles.sidecar import build_sidecar
from email_consumer.roles.worker import build_worker
from email_consumer.runtime.allocator import give_back_large_blocks
from email_consumer.runtime.errors import OperatorError
from email_consumer.runtime.signals import stop_event
from email_consumer.runtime.supervisor import Supervisor
from email_consumer.runtime.tasks import end, until_done
from email_consumer.settings import Settings

Build = Callable[[Settings, Supervisor], Coroutine[None, None, None]]
"""Starts the services of a role."""

_PATIENCE = 30.0
"""Seconds: an election, or a server that restarts, takes less."""
_PAUSE = 1.0
_NO_ANSWER = (NatsError, TimeoutError, WatchBrokenError, QueueUnavailableError)

_log = structlog.get_logger(__name__)


async def run(settings: Settings, *, local: bool = False) -> None:
    """Worker and sidecar in one process: send mail until SIGTERM or SIGINT, then drain.

    Raises:
        OperatorError: something it needs isn't there, or another one has taken over.
    """
    if settings.ledger != "sqlite":
        raise OperatorError(
            f"LEDGER: {settings.ledger} is for roles apart, `email-consumer worker` (any number of them) and "
            "`email-consumer sidecar` (one); `run` is both in one process and needs sqlite"
        )
    await _run("run", partial(build_run, local=local), settings, local=local)


async def worker(settings: Settings) -> None:
    """One of many that send mail, until SIGTERM or SIGINT; then drain.

    Raises:
        OperatorError: something it needs isn't there, or another ledger has the consumer.
    """
    _require_jetstream("worker", settings)
    await _run("worker", build_worker, settings)


async def sidecar(settings: Settings) -> None:
    """The one beside the workers that has the API, the schedule, SES's events and the tables, until SIGTERM or SIGINT.

    Raises:
        OperatorError: something it needs isn't there, or another one has taken over.
    """
    _require_jetstream("sidecar", settings)
    await _run("sidecar", build_sidecar, settings)


def _require_jetstream(role: str, settings: Settings) -> None:
    if settings.ledger != "jetstream":
        raise OperatorError(f"LEDGER: `email-consumer {role}` needs jetstream; with {settings.ledger} it is `run`")
    if "nats" not in settings.source:
        raise OperatorError(f"SOURCE: must name nats: by it `email-consumer {role}` meets the other roles")


async def _run(name: str, build: Build, settings: Settings, *, local: bool = False) -> None:
    give_back_large_blocks()
    with stop_event() as stop, _sentry(settings):
        services = await _unless(stop, _start(build, settings))
        if services is None:
            return
        async with services:
            _spare_the_collector()
            _log.info("daemon.started", role=name, local=local, **settings.public())
            await services.run(stop)
            _log.info("daemon.stopped")


async def _start(build: Build, settings: Settings) -> Supervisor:
    """The services of a role, running; the caller ends them. JetStream may give no answer for a while.

    Raises:
        OperatorError: something the role needs isn't there.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + _PATIENCE
    while True:
        async with AsyncExitStack() as attempt:
            services = await attempt.enter_async_context(Supervisor())
            try:
                await services.unless_crashed(build(settings, services))
            except _NO_ANSWER as error:
                if loop.time() > give_up_at:
                    raise OperatorError(f"the queue of mail gave no answer: {str(error) or repr(error)}") from error
                _log.warning("daemon.start_delayed", error=str(error) or repr(error), retry_in=_PAUSE)
            else:
                attempt.pop_all()
                return services
        await asyncio.sleep(_PAUSE)


async def _unless(stop: asyncio.Event, starting: Coroutine[None, None, Supervisor]) -> Supervisor | None:
    """What was started, or None where a signal came first."""
    stopped = asyncio.create_task(stop.wait())
    try:
        started = await until_done(starting, stopped)
    finally:
        await end(stopped)
    return None if started.cancelling() else started.result()


def _spare_the_collector() -> None:
    """A quarter of the CPU would go into looking for garbage again and again in what is alive."""
    gc.collect()
    gc.freeze()  # what was built up to here lives as long as the process
    gc.set_threshold(50_000, 20, 100)  # the mails in hand are that many objects, and hardly leave cycles behind


def _sentry(settings: Settings) -> AbstractContextManager[None]:
    if not settings.sentry_dsn:
        return nullcontext()
    from email_consumer.observe import sentry  # noqa: PLC0415 - a third of a second that only its users should wait

    dsn = settings.sentry_dsn.get_secret_value()
    return sentry.reporting(dsn, release=f"email-consumer@{version('email-consumer')}", environment=settings.instance)
