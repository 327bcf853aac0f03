"""Serves the sandbox until a signal stops it."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

from ses_sandbox.assembly import Sandbox
from ses_sandbox.config import SandboxConfig
from ses_sandbox.data_directory import claimed
from ses_sandbox.database import Database
from ses_sandbox.sns.delivery_worker import open_session

_BACKLOG = 2_048
_SHUTDOWN_TIMEOUT = 2.0
"""Seconds that requests in flight get at the end; scripted hangs never finish."""


async def serve(config: SandboxConfig, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve until cancelled or SIGTERM or SIGINT arrives; `on_ready` gets the base URL once it listens.

    Raises:
        DirectoryInUseError: if another sandbox runs on the same data directory.
        OSError: if the port can't be bound.
    """
    stop = asyncio.Event()
    _on_stop_signals(stop.set)
    with claimed(config.data) as directory:
        await _serve(config, Database(directory / "sandbox.db"), on_ready, stop)


async def _serve(
    config: SandboxConfig, database: Database, on_ready: Callable[[str], None] | None, stop: asyncio.Event
) -> None:
    try:
        sandbox = Sandbox(config, database)
        runner = web.AppRunner(
            sandbox.application,
            access_log=None,
            handle_signals=False,
            handler_cancellation=True,  # a client that gives up ends its scripted hang
            shutdown_timeout=_SHUTDOWN_TIMEOUT,
        )
        try:
            await sandbox.prepare()
            await runner.setup()
            await web.TCPSite(runner, config.host, config.port, backlog=_BACKLOG).start()
            host, port = runner.addresses[0][:2]
            if on_ready is not None:
                on_ready(f"http://{host}:{port}")
            async with open_session() as session, asyncio.TaskGroup() as background:
                tasks = [background.create_task(job) for job in sandbox.jobs(session)]
                await stop.wait()
                for task in tasks:
                    task.cancel()
        finally:
            await runner.cleanup()
    finally:
        await database.close()


def _on_stop_signals(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Outside the main thread there are no signals to take: the caller cancels instead.
        with suppress(RuntimeError, ValueError):
            loop.add_signal_handler(number, stop)
