"""Posts the outbox to the subscribed endpoints, many at a time, with retries."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import time

import aiohttp

from ses_sandbox.events.settings import EventSettings
from ses_sandbox.sns.envelope import Signer, SnsMessage, headers
from ses_sandbox.sns.outbox import Outbox, Posting
from ses_sandbox.sns.topics import Subscription, Topics

_WINDOW = 256
"""Entries in flight at most; more are taken once half of them are done."""
_CONNECTIONS = 64
_SIGNED_AT_ONCE = 32
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=15, sock_read=15)
"""SNS gives an endpoint 15 seconds."""
_TOO_MANY, _SERVER_ERROR = 429, 500


@dataclass(slots=True)
class Tally:
    """What became of the postings since the start."""

    delivered: int = 0
    failed: int = 0
    """Given up: refused with a 4xx, or out of retries."""
    retried: int = 0


class DeliveryWorker:
    """Delivers at least once: what was in flight when the sandbox died is posted again."""

    def __init__(self, outbox: Outbox, topics: Topics, signer: Signer, settings: EventSettings) -> None:
        self._outbox = outbox
        self._topics = topics
        self._signer = signer
        self._settings = settings
        self._in_flight: set[int] = set()
        self._wake = asyncio.Event()
        self.tally = Tally()

    def wake(self) -> None:
        """Check the outbox again."""
        self._wake.set()

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Post due entries until cancelled."""
        async with asyncio.TaskGroup() as deliveries:
            while True:
                self._wake.clear()
                if not await self._post_due(session, deliveries):
                    await self._sleep()

    async def attempt(self, session: aiohttp.ClientSession, subscription: Subscription, message: SnsMessage) -> bool:
        """Post one message once, outside the outbox; return whether it arrived."""
        [body] = await self._sign([message])
        return _arrived(await _post(session, subscription, message, body))

    async def _post_due(self, session: aiohttp.ClientSession, deliveries: asyncio.TaskGroup) -> bool:
        if len(self._in_flight) > _WINDOW // 2:
            return False
        due = [posting for posting in self._outbox.due(_WINDOW) if posting.id not in self._in_flight]
        due = due[: _WINDOW - len(self._in_flight)]
        self._in_flight.update(posting.id for posting in due)
        for start in range(0, len(due), _SIGNED_AT_ONCE):
            chunk = due[start : start + _SIGNED_AT_ONCE]
            for posting, body in zip(chunk, await self._sign([each.message for each in chunk]), strict=True):
                deliveries.create_task(self._deliver(session, posting, body))
        return bool(due)

    async def _sleep(self) -> None:
        next_due = self._outbox.next_due()
        try:
            async with asyncio.timeout(None if next_due is None else max(next_due - time(), 0)):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _deliver(self, session: aiohttp.ClientSession, posting: Posting, body: bytes) -> None:
        subscription = self._topics.subscriptions.get(posting.message.subscription_arn)
        if subscription is not None:  # unsubscribed meanwhile: its entries are gone
            await self._settle(
                posting, await _post(session, subscription, posting.message, body, raw=self._raw(subscription))
            )
        self._in_flight.discard(posting.id)
        if len(self._in_flight) == _WINDOW // 2:
            self._wake.set()

    async def _settle(self, posting: Posting, status: int | None) -> None:
        arrived = _arrived(status)
        retries = self._settings.max_retries
        may_retry = status is None or status == _TOO_MANY or status >= _SERVER_ERROR
        if not arrived and may_retry and (retries is None or posting.attempts < retries):
            await self._outbox.postpone(posting, self._settings.retry_delay)
            self.tally.retried += 1
            return
        await self._outbox.remove(posting)
        if arrived:
            self.tally.delivered += 1
        else:
            self.tally.failed += 1

    def _raw(self, subscription: Subscription) -> bool:
        return self._settings.raw_delivery or subscription.raw

    async def _sign(self, messages: Sequence[SnsMessage]) -> list[bytes]:
        version = self._settings.signature_version
        # RSA is what costs here; it releases the interpreter lock, so a thread takes it off the event loop.
        return await asyncio.to_thread(lambda: [self._signer.envelope(message, version) for message in messages])


def _arrived(status: int | None) -> bool:
    return status is not None and 200 <= status < 300  # noqa: PLR2004 - HTTP success


async def _post(
    session: aiohttp.ClientSession, subscription: Subscription, message: SnsMessage, body: bytes, *, raw: bool = False
) -> int | None:
    """The status answered; None if there was no answer."""
    content = message.message.encode() if raw else body
    try:
        async with session.post(
            subscription.endpoint,
            data=content,
            headers=headers(message, raw=raw),
            allow_redirects=False,
            timeout=_TIMEOUT,
        ) as answered:
            return answered.status
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None


def open_session() -> aiohttp.ClientSession:
    """The client session all postings share."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_CONNECTIONS))
