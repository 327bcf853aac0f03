"""One attempt: a signed POST, and what the endpoint's answer means."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp

from email_consumer.core.traceparent import TRACEPARENT
from email_consumer.webhooks.destination import ForbiddenDestinationError, public_socket
from email_consumer.webhooks.endpoint import Endpoint
from email_consumer.webhooks.resolver import ThreadPoolResolver
from email_consumer.webhooks.schedule import TIMEOUT

_LONGEST_ERROR = 300
_LARGEST_ANSWER = 1_000
"""Bytes of an error's body that are kept; no more is read."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Of an endpoint."""

    error: str = ""
    """Empty: delivered."""
    gone: bool = False
    """It wants no more events (410)."""
    retry_after: float | None = None
    """Seconds that it asks to wait."""


class WebhookSender:
    """Sends to public addresses only, unless private ones are allowed; follows no redirect, and uses no proxy of the environment."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def send(self, endpoint: Endpoint, event_id: str, body: str, traceparent: str | None = None) -> Answer:
        """Never raises, but when cancelled. `traceparent`: the span that the request belongs to."""
        headers = endpoint.headers(event_id, body, time.time()) | {"Content-Type": "application/json"}
        if traceparent:
            headers[TRACEPARENT] = traceparent
        try:
            async with (
                asyncio.timeout(TIMEOUT),
                self._session.post(
                    endpoint.url, data=body.encode(), headers=headers, allow_redirects=False
                ) as response,
            ):
                return await _read(response)
        except TimeoutError:
            return Answer(f"no answer within {TIMEOUT:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answer(_text(error))


@asynccontextmanager
async def webhook_sender(
    kind: type[WebhookSender] = WebhookSender, *, allow_private: bool
) -> AsyncIterator[WebhookSender]:
    """A sender with its own connections."""
    resolver = ThreadPoolResolver()
    connector = aiohttp.TCPConnector(
        limit=0,  # there are few at once for each endpoint
        limit_per_host=0,
        resolver=resolver,
        ttl_dns_cache=10,
        socket_factory=None if allow_private else public_socket,
    )
    async with aiohttp.ClientSession(
        connector=connector,
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "email-consumer", "Accept-Encoding": "identity"},
        auto_decompress=False,  # a small answer could become a large one
        max_line_size=4_096,
        max_field_size=4_096,
    ) as session:
        try:
            yield kind(session)
        finally:
            await resolver.close()


async def _read(response: aiohttp.ClientResponse) -> Answer:
    if HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
        return Answer()
    text = (await response.content.read(_LARGEST_ANSWER)).decode(errors="replace")
    response.close()  # whatever else it would say
    return Answer(
        f"{response.status} {response.reason or ''}: {text}".strip(": ")[:_LONGEST_ERROR],
        gone=response.status == HTTPStatus.GONE,
        retry_after=_seconds(response.headers.get("Retry-After", "")),
    )


def _seconds(text: str) -> float | None:
    """Of a Retry-After header: a number, or a date."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def _text(error: Exception) -> str:
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, ForbiddenDestinationError):
            return f"not sent: {cause}; see WEBHOOK_ALLOW_PRIVATE"
        cause = cause.__cause__ or getattr(cause, "os_error", None)
    return f"{type(error).__name__}: {error}"[:_LONGEST_ERROR]
