"""Statistics from the NATS server: what waits for a consumer, its age, and dead letters."""

import asyncio
from datetime import datetime
from typing import Any

import orjson
from nats.aio.client import Client
from nats.errors import Error as NatsError

from email_consumer.core.source import QueueDepth, SourceStats
from email_consumer.sources.jetstream.dead_letter import dead_letter_stream

_TIMEOUT = 0.8
"""Seconds; the next snapshot is due after one."""
_UNREACHABLE = (NatsError, TimeoutError, OSError)


class StreamStats:
    """Three small requests per read, whatever the size of the stream; made here because nats-py drops times.

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
        oldest_at = await self._oldest(stream["state"], consumer) if unsettled else None
        return SourceStats(QueueDepth(max(0, unsettled - unsettled_here), oldest_at), dead_letters)

    async def _oldest(self, state: dict[str, Any], consumer: dict[str, Any]) -> float | None:
        """The first message of the consumer's subjects that it has not settled; others are another lane's, or nobody's."""
        config, first = consumer["config"], max(state["first_seq"], consumer["ack_floor"]["stream_seq"] + 1)
        subjects = config.get("filter_subjects") or [config.get("filter_subject") or ">"]
        found = await asyncio.gather(
            *(
                self._ask(f"STREAM.MSG.GET.{self._stream}", {"seq": first, "next_by_subj": subject})
                for subject in subjects
            )
        )
        return min((_time(each["message"]["time"]) for each in found if each), default=None)

    async def _ask(self, what: str, question: object = None) -> dict[str, Any] | None:
        if not self._client.is_connected:
            return None
        payload = orjson.dumps(question) if question else b""
        try:
            answer = await self._client.request(f"$JS.API.{what}", payload, timeout=_TIMEOUT)
        except _UNREACHABLE:
            return None
        found: dict[str, Any] = orjson.loads(answer.data)
        return None if "error" in found else found


def _time(text: str) -> float:
    """Parse RFC 3339; Python truncates nanoseconds to microseconds."""
    return datetime.fromisoformat(text).timestamp()
