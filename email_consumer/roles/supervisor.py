"""Runs the roles that a process has, until a signal comes, and drains them."""

import asyncio
import gc
from contextlib import AbstractContextManager, AsyncExitStack
from functools import partial
from importlib.metadata import version

import structlog

from email_consumer.roles.role import Role
from email_consumer.roles.run import build_embedded
from email_consumer.roles.sidecar import build_fleet_sidecar
from email_consumer.roles.start import Build, start, unless
from email_consumer.roles.worker import build_fleet_worker
from email_consumer.runtime.errors import OperatorError
from email_consumer.runtime.signals import stop_event
from email_consumer.runtime.tasks import end
from email_consumer.settings import Settings

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
    await _run("run", partial(build_embedded, local=local), settings, local=local)


async def worker(settings: Settings) -> None:
    """One of many that send mail, until SIGTERM or SIGINT; then drain.

    Raises:
        OperatorError: something it needs isn't there, or another ledger has the consumer.
    """
    _require_jetstream("worker", settings)
    await _run("worker", build_fleet_worker, settings)


async def sidecar(settings: Settings) -> None:
    """The one beside the workers that has the API, the schedule, SES's events and the tables, until SIGTERM or SIGINT.

    Raises:
        OperatorError: something it needs isn't there, or another one has taken over.
    """
    _require_jetstream("sidecar", settings)
    await _run("sidecar", build_fleet_sidecar, settings)


def _require_jetstream(role: str, settings: Settings) -> None:
    if settings.ledger != "jetstream":
        raise OperatorError(f"LEDGER: `email-consumer {role}` needs jetstream; with {settings.ledger} it is `run`")
    if "nats" not in settings.source:
        raise OperatorError(f"SOURCE: must name nats: by it `email-consumer {role}` meets the other roles")


async def _run(name: str, build: Build, settings: Settings, *, local: bool = False) -> None:
    with stop_event() as stop:
        async with AsyncExitStack() as stack:
            if settings.sentry_dsn:
                stack.enter_context(_sentry(settings.sentry_dsn.get_secret_value(), settings.instance))
            role = await unless(stop, start(build, settings, stack))
            if role is None:
                return
            _spare_the_collector()
            _log.info("daemon.started", role=name, local=local, **settings.public())
            await _serve(role, stop)
            _log.info("daemon.stopped")


async def _serve(role: Role, stop: asyncio.Event) -> None:
    """Until `stop` and drained; raises what a part of the background fails with, as soon as it does."""
    ending = asyncio.create_task(_drain_after(stop, role), name="drain")
    running = {ending, *(asyncio.create_task(work(), name=name) for name, work in role.background)}
    try:
        while ending in running:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        await end(*running)


async def _drain_after(stop: asyncio.Event, role: Role) -> None:
    await stop.wait()
    await role.drain()


def _spare_the_collector() -> None:
    """A quarter of the CPU would go into looking for garbage again and again in what is alive."""
    gc.collect()
    gc.freeze()  # what was built up to here lives as long as the process
    gc.set_threshold(50_000, 20, 100)  # the mails in hand are that many objects, and hardly leave cycles behind


def _sentry(dsn: str, instance: str) -> AbstractContextManager[None]:
    from email_consumer.observe import sentry  # noqa: PLC0415 - a third of a second that only its users should wait

    return sentry.reporting(dsn, release=f"email-consumer@{version('email-consumer')}", environment=instance)
