"""Builds the sandbox's parts, hands them to each other, and serves until told to stop."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

from email_consumer.sandbox.account import Account
from email_consumer.sandbox.aws.signature import Credentials, SignatureCheck
from email_consumer.sandbox.config import SandboxConfig
from email_consumer.sandbox.control.account_routes import AccountRoutes
from email_consumer.sandbox.control.fault_routes import FaultRoutes
from email_consumer.sandbox.control.message_routes import MessageRoutes
from email_consumer.sandbox.control.page import Page
from email_consumer.sandbox.control.wire import reply
from email_consumer.sandbox.database import Database
from email_consumer.sandbox.faults import Faults
from email_consumer.sandbox.mailbox import Mailbox
from email_consumer.sandbox.quota import DailyQuota, SendRate
from email_consumer.sandbox.ses.send_email import Sending

_MAX_BODY = 64 * 2**20
"""Bytes: SES takes 40 MiB of message, base64 and JSON come on top."""
_BACKLOG = 2_048
_SHUTDOWN_TIMEOUT = 2.0
"""Seconds requests in hand get at the end; scripted hangs never finish."""


async def serve(config: SandboxConfig, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve until cancelled or SIGTERM or SIGINT arrives; `on_ready` gets the base URL once it listens."""
    stop = asyncio.Event()
    _on_stop_signals(stop.set)
    config.data.mkdir(parents=True, exist_ok=True)
    database = Database(config.data / "sandbox.db")
    runner = web.AppRunner(
        _application(config, database),
        access_log=None,
        handle_signals=False,
        handler_cancellation=True,  # a client that gives up ends the hang it was scripted
        shutdown_timeout=_SHUTDOWN_TIMEOUT,
    )
    try:
        await runner.setup()
        await web.TCPSite(runner, config.host, config.port, backlog=_BACKLOG).start()
        host, port = runner.addresses[0][:2]
        if on_ready is not None:
            on_ready(f"http://{host}:{port}")
        await stop.wait()
    finally:
        await runner.cleanup()
        await database.close()


def _application(config: SandboxConfig, database: Database) -> web.Application:
    credentials = Credentials(config.access_key, config.secret_key)
    signatures = SignatureCheck(credentials, config.region)
    usage = database.read_now("SELECT minute, recipients FROM usage ORDER BY minute")
    account = Account(SendRate(config.max_send_rate), DailyQuota(config.max_24_hour_send, usage))
    faults = Faults()
    mailbox = Mailbox(database, config.keep)
    application = web.Application(client_max_size=_MAX_BODY)
    for part in (
        Sending(signatures, faults, account, mailbox),
        AccountRoutes(account, credentials),
        FaultRoutes(faults),
        MessageRoutes(mailbox),
        Page(mailbox),
    ):
        application.add_routes(part.routes())
    application.router.add_get("/health", _health)
    return application


async def _health(_request: web.Request) -> web.Response:
    return reply({"status": "ok"})


def _on_stop_signals(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Outside the main thread there are no signals to take: whoever runs us there cancels.
        with suppress(RuntimeError, ValueError):
            loop.add_signal_handler(number, stop)
