"""The life of a process: its role is built, runs until a signal arrives, and drains."""

import asyncio
import gc
import sqlite3
from collections.abc import Callable, Collection, Coroutine
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from functools import partial
from importlib.metadata import version

import structlog
from nats.errors import Error as NatsError

from email_consumer.core.mail_queue import QueueUnavailableError
from email_consumer.core.safe_mode import SafeMode
from email_consumer.jetstream.watch import WatchBrokenError
from email_consumer.roles.options import RoleOptions, role_options
from email_consumer.roles.run import build_run
from email_consumer.roles.sidecar import build_sidecar
from email_consumer.roles.tracing import tracing
from email_consumer.roles.worker import build_worker
from email_consumer.runtime.allocator import give_back_large_blocks
from email_consumer.runtime.errors import OperatorError
from email_consumer.runtime.signals import stop_event
from email_consumer.runtime.supervisor import Supervisor
from email_consumer.runtime.tasks import end, until_done
from email_consumer.settings import Settings
from email_consumer.store.database import is_temporary

Build = Callable[[RoleOptions, Supervisor], Coroutine[None, None, None]]
"""Starts the services of a role."""

_PATIENCE = 30.0
"""Seconds to wait at startup for JetStream or for a database that accepts no writes: longer than an election, a server
restart or a backup takes."""
_PAUSE = 1.0
_UNAVAILABLE = (NatsError, TimeoutError, WatchBrokenError, QueueUnavailableError)

_log = structlog.get_logger(__name__)


async def run(settings: Settings, *, local: bool = False) -> None:
    """Run worker and sidecar in one process until SIGTERM or SIGINT, then drain.

    Raises:
        OperatorError: something it depends on is missing, or another process has taken over.
    """
    if settings.ledger != "sqlite":
        raise OperatorError(
            f"LEDGER: {settings.ledger} is for separate roles, `email-consumer worker` (any number) and "
            "`email-consumer sidecar` (one); `run` is both in one process and needs sqlite"
        )
    await _run("run", build_run, role_options(settings, local=local))


async def worker(settings: Settings) -> None:
    """Run one of any number of processes that send mail, until SIGTERM or SIGINT; then drain.

    Raises:
        OperatorError: something it depends on is missing, or another ledger holds the consumer.
    """
    _require_jetstream("worker", settings.ledger, settings.source)
    await _run("worker", build_worker, role_options(settings))


async def sidecar(settings: Settings) -> None:
    """Run the one process that has the API, the schedule, the events from SES and the tables, until SIGTERM or SIGINT.

    Raises:
        OperatorError: something it depends on is missing, or another process has taken over.
    """
    _require_jetstream("sidecar", settings.ledger, settings.source)
    await _run("sidecar", build_sidecar, role_options(settings))


def _require_jetstream(role: str, ledger: str, sources: Collection[str]) -> None:
    if ledger != "jetstream":
        raise OperatorError(f"LEDGER: `email-consumer {role}` needs jetstream; with {ledger} use `email-consumer run`")
    if "nats" not in sources:
        raise OperatorError(f"SOURCE: must contain nats, through which `email-consumer {role}` reaches the other roles")


async def _run(role: str, build: Build, options: RoleOptions) -> None:
    give_back_large_blocks()
    _announce(options.safe_mode)
    with stop_event() as stop, _sentry(options.sentry_dsn, options.ses.instance), tracing(options.traces_to, role):
        services = await _unless(stop, _start(partial(build, options)))
        if services is None:
            return
        async with services:
            _tune_garbage_collection()
            _log.info("daemon.started", role=role, local=options.local, **options.public)
            await services.run(stop)
            _log.info("daemon.stopped")


async def _start(build: Callable[[Supervisor], Coroutine[None, None, None]]) -> Supervisor:
    """Start the services of a role; the caller has to end them.

    While JetStream does not respond or the database accepts no writes, it is tried again.

    Raises:
        OperatorError: something the role depends on is missing.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + _PATIENCE
    while True:
        async with AsyncExitStack() as attempt:
            services = await attempt.enter_async_context(Supervisor())
            try:
                await services.unless_crashed(build(services))
            except (*_UNAVAILABLE, sqlite3.OperationalError) as error:
                if not isinstance(error, _UNAVAILABLE) and not is_temporary(error):
                    raise
                text = str(error) or repr(error)
                if loop.time() > give_up_at:
                    raise OperatorError(_unavailable(error, text)) from error
                _log.warning("daemon.start_delayed", error=text, retry_in=_PAUSE)
            else:
                attempt.pop_all()
                return services
        await asyncio.sleep(_PAUSE)


def _unavailable(error: Exception, text: str) -> str:
    if isinstance(error, sqlite3.OperationalError):
        return f"DB_PATH: the database accepts no writes: {text}"
    return f"the mail queue does not respond: {text}"


async def _unless(stop: asyncio.Event, starting: Coroutine[None, None, Supervisor]) -> Supervisor | None:
    """The started services, or None if a signal arrived first."""
    stopped = asyncio.create_task(stop.wait())
    try:
        started = await until_done(starting, stopped)
    finally:
        await end(stopped)
    return None if started.cancelling() else started.result()


def _announce(safe_mode: SafeMode | None) -> None:
    if safe_mode:
        others = "redirected" if safe_mode.redirect_to else "stopped"
        _log.warning(
            "safe_mode.on",
            allowed=sorted(safe_mode.allowed),
            redirect_to=safe_mode.redirect_to,
            hint=f"mail to all others is {others}; in production, unset RECIPIENT_ALLOWLIST and REDIRECT_ALL_TO",
        )


def _tune_garbage_collection() -> None:
    """Otherwise a quarter of the CPU time would go into traversing live objects again and again."""
    gc.collect()
    gc.freeze()  # everything built so far lives as long as the process
    gc.set_threshold(50_000, 20, 100)  # unsettled mails are that many objects, and rarely leave cycles


def _sentry(dsn: str | None, environment: str) -> AbstractContextManager[None]:
    if not dsn:
        return nullcontext()
    from email_consumer.observe import sentry  # noqa: PLC0415 - a third of a second that only its users should wait

    release = f"email-consumer@{version('email-consumer')}"
    return sentry.reporting(dsn, release=release, environment=environment)
