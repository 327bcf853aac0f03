"""Runs the roles that a process has, until a signal comes, and drains them."""

import asyncio
import gc
from collections.abc import Coroutine
from contextlib import AbstractContextManager, AsyncExitStack
from importlib.metadata import version

import structlog
from nats.errors import Error as NatsError

from email_consumer.daemon.background import Background
from email_consumer.daemon.faults import ConnectionLostError, DaemonError
from email_consumer.daemon.sidecar import build_sidecar
from email_consumer.daemon.start import prepare
from email_consumer.daemon.worker import Worker, build_worker
from email_consumer.intake.connection_faults import NatsConnectError
from email_consumer.intake.tenancy import TenancyLostError
from email_consumer.intake.topology import TopologyError
from email_consumer.mail_queue import QueueUnavailableError
from email_consumer.observe import loop_lag, rate_line
from email_consumer.ses.session import MissingCredentialsError
from email_consumer.settings import Settings
from email_consumer.signals import stop_event
from email_consumer.sqs.faults import SqsError
from email_consumer.store.database import StoreError

_log = structlog.get_logger(__name__)


async def run(settings: Settings, *, local: bool = False) -> None:
    """Worker and sidecar in one process: send mail until SIGTERM or SIGINT, then drain.

    Raises:
        DaemonError: something it needs isn't there, or another one has taken over.
    """
    if settings.ledger == "jetstream":
        raise DaemonError("LEDGER: worker and sidecar can't be run apart yet; set sqlite, the ledger of one process")
    with stop_event() as stop:
        async with AsyncExitStack() as stack:
            if settings.sentry_dsn:
                stack.enter_context(_sentry(settings.sentry_dsn.get_secret_value(), settings.instance))
            built = await _unless(stop, _build(settings, stack))
            if built is None:
                return
            worker, background = built
            _spare_the_collector()
            _log.info("daemon.started", local=local, **settings.public())
            try:
                await _serve(worker, background, stop)
            except* (TenancyLostError, ConnectionLostError) as lost:
                raise DaemonError(str(lost.exceptions[0])) from None
            _log.info("daemon.stopped")


async def _build(settings: Settings, stack: AsyncExitStack) -> tuple[Worker, list[Background]]:
    ground = await prepare(settings, stack)
    worker = await build_worker(ground, stack)
    await build_sidecar(ground, worker, stack)
    meters = ground.meters
    ground.background.append(("rate line", lambda: rate_line.report(meters)))
    ground.background.append(("loop lag", lambda: loop_lag.measure(meters)))
    return worker, ground.background


async def _serve(worker: Worker, background: list[Background], stop: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as tasks:
        beside = [tasks.create_task(work(), name=name) for name, work in background]
        for intake in worker.intakes:
            tasks.create_task(intake.run(), name="intake")
        await stop.wait()
        await worker.drain()
        for task in beside:
            task.cancel()


async def _unless(
    stop: asyncio.Event, building: Coroutine[None, None, tuple[Worker, list[Background]]]
) -> tuple[Worker, list[Background]] | None:
    """What was built, or None where a signal came first."""
    built, stopped = asyncio.create_task(building), asyncio.create_task(stop.wait())
    await asyncio.wait([built, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not built.done():
        built.cancel()
        await asyncio.wait([built])
        return None
    try:
        return built.result()
    except (
        NatsConnectError,
        TopologyError,
        StoreError,
        MissingCredentialsError,
        QueueUnavailableError,
        SqsError,
    ) as error:
        raise DaemonError(str(error)) from error
    except (NatsError, TimeoutError) as error:
        raise DaemonError(f"JetStream gave no answer: {error!r}") from error


def _spare_the_collector() -> None:
    """A quarter of the CPU would go into looking for garbage again and again in what is alive."""
    gc.collect()
    gc.freeze()  # what was built up to here lives as long as the process
    gc.set_threshold(50_000, 20, 100)  # the mails in hand are that many objects, and hardly leave cycles behind


def _sentry(dsn: str, instance: str) -> AbstractContextManager[None]:
    from email_consumer.observe import sentry  # noqa: PLC0415 - a third of a second that only its users should wait

    return sentry.reporting(dsn, release=f"email-consumer@{version('email-consumer')}", environment=instance)
