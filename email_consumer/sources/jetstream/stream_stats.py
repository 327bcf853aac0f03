"""How much mail waits in the stream, how long, and how much was given up: asked of the NATS server."""

import asyncio
from datetime import datetime
from typing import Any

import orjson
from nats.aio.client import Client
from nats.errors import Error as NatsError

from email_consumer.core.source import QueueDepth, SourceStats
from email_consumer.sources.jetstream.dead_letter import dead_letter_stream

_PATIENCE = 0.8
"""Seconds; a new look is due after one."""
_UNREACHABLE = (NatsError, TimeoutError, OSError)


class StreamStats:
    """Three small requests a look, whatever the stream's size. nats-py leaves out times, so they are made here.

    Source: https://docs.nats.io/reference/reference-protocols/nats_api_reference
    """

    def __init__(self, client: Client, *, stream: str, consumer: str) -> None:
        self._client = client
        self._stream = stream
        self._consumer = consumer

    async def read(self, unsettled_here: int) -> SourceStats:
        """None for what the server doesn't answer; `unsettled_here` messages are delivered and don't wait."""
        stream, consumer, dead = await asyncio.gather(
            self._ask(f"STREAM.INFO.{self._stream}"),
            self._ask(f"CONSUMER.INFO.{self._stream}.{self._consumer}"),
            self._ask(f"STREAM.INFO.{dead_letter_stream(self._stream)}"),
        )
        dead_letters = dead["state"]["messages"] if dead else None
        if stream is None or consumer is None:
            return SourceStats(None, dead_letters)
        unsettled = consumer["num_pending"] + consumer["num_ack_pending"]
        oldest_at = await self._oldest(stream["state"], consumer["ack_floor"]["stream_seq"]) if unsettled else None
        return SourceStats(QueueDepth(max(0, unsettled - unsettled_here), oldest_at), dead_letters)

    async def _oldest(self, state: dict[str, Any], floor: int) -> float | None:
        if state["first_seq"] > floor:  # always so in a work queue, which keeps only what is unsettled
            return _time(state["first_ts"])
        found = await self._ask(f"STREAM.MSG.GET.{self._stream}", {"seq": floor + 1, "next_by_subj": ">"})
        return _time(found["message"]["time"]) if found else None

    async def _ask(self, what: str, question: object = None) -> dict[str, Any] | None:
        if not self._client.is_connected:
            return None
        payload = orjson.dumps(question) if question else b""
        try:
            answer = await self._client.request(f"$JS.API.{what}", payload, timeout=_PATIENCE)
        except _UNREACHABLE:
            return None
        found: dict[str, Any] = orjson.loads(answer.data)
        return None if "error" in found else found


def _time(text: str) -> float:
    """RFC 3339; the nanoseconds beyond microseconds are cut off by Python itself."""
    return datetime.fromisoformat(text).timestamp()
