"""The stream and its consumer as a `MailQueue`: mail put in, and how far the consumer has come."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import PubAck

from email_consumer.intake.consumer import StreamIdentity
from email_consumer.jetstream_api import ask
from email_consumer.mail_queue import Backlog, Mark, QueueUnavailableError

_PATIENCE = 5.0
"""Seconds for an answer of the server."""


class JetStreamQueue:
    """See `email_consumer.mail_queue.MailQueue`."""

    def __init__(self, client: Client, *, stream: str, subject: str, consumer: str) -> None:
        self._client = client
        self._jetstream: JetStreamContext = client.jetstream(timeout=_PATIENCE)
        self._stream = stream
        self._subject = re.sub(r"[*>]", "api", subject)  # SUBJECT may be a filter, which nothing can be sent to
        self._consumer = consumer
        self._identity = StreamIdentity(client, stream)
        self._max_message = 0
        """The stream's `max_msg_size`, as it was when we last looked; 0: none."""

    @property
    def max_payload(self) -> int:
        most = int(self._client.max_payload)
        return min(most, self._max_message or most)

    async def publish(self, messages: Sequence[tuple[bytes, Mapping[str, str]]]) -> list[Exception | None]:
        self._check_connection()
        futures = []
        try:
            for payload, headers in messages:
                futures.append(await self._jetstream.publish_async(self._subject, payload, headers=dict(headers)))
        except NatsError as error:
            for future in futures:
                future.cancel()
            raise QueueUnavailableError(f"NATS: {error}") from error
        if futures:
            await asyncio.wait(futures, timeout=_PATIENCE)
        return [_fault(future) for future in futures]

    async def mark(self) -> Mark:
        self._check_connection()
        try:
            info = await ask(self._client, f"STREAM.INFO.{self._stream}")
        except (NatsError, TimeoutError) as error:
            raise QueueUnavailableError(f"stream {self._stream}: {error}") from error
        self._max_message = max(0, info["config"].get("max_msg_size", 0))
        return Mark(info["created"], info["state"]["last_seq"], datetime.fromisoformat(info["ts"]).timestamp())

    async def backlog(self) -> Backlog:
        self._check_connection()
        try:
            info = await ask(self._client, f"CONSUMER.INFO.{self._stream}.{self._consumer}")
            stream = await self._identity.of(info)
        except (NatsError, TimeoutError) as error:
            raise QueueUnavailableError(f"consumer {self._consumer}: {error}") from error
        in_hand = info["num_ack_pending"]
        return Backlog(info["ack_floor"]["stream_seq"], info["num_pending"] + in_hand, in_hand, stream)

    def _check_connection(self) -> None:
        # While disconnected nats-py would keep what is published for later, and let the rest run into its time-out.
        if not self._client.is_connected:
            raise QueueUnavailableError("not connected to NATS")


def _fault(future: "asyncio.Future[PubAck]") -> Exception | None:
    """None if it is known to be stored. Giving up on a future takes it off nats-py's list."""
    if not future.done():
        future.cancel()
        return TimeoutError("no acknowledgement")
    error = future.exception()
    return error if error is None or isinstance(error, Exception) else RuntimeError(repr(error))
