"""The stream of events: <STREAM>-events, with a subject for each type."""

import base64
from dataclasses import dataclass
from typing import Any

import orjson
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from email_consumer.core.foreign_records import JUNK
from email_consumer.jetstream.api import ask
from email_consumer.outbox.document import TYPES, id_start

_NANOSECONDS = 1_000_000_000
_MAX_AGE = 7 * 86_400 * _NANOSECONDS


def events_stream(stream: str) -> str:
    """The name of the stream of events about the mail of a stream."""
    return f"{stream}-events"


@dataclass(frozen=True, slots=True)
class End:
    """Of the stream."""

    sequence: int
    """Of its last message, which may be gone."""
    seq: int
    """Of the last event in it that came from this database; 0 without one."""


class EventStream:
    """For the mail stream with that name."""

    def __init__(self, client: Client, stream: str, origin: str, *, replicas: int, max_bytes: int) -> None:
        """`origin` identifies the database. `max_bytes`: the oldest events go when the stream is that large."""
        self.name = events_stream(stream)
        self._origin = origin
        self._client = client
        self._config = {
            "name": self.name,
            "subjects": [f"{self.name}.>"],
            "retention": "limits",
            "discard": "old",
            "storage": "file",
            "num_replicas": replicas,
            "max_age": _MAX_AGE,
            "max_bytes": max_bytes,
        }

    def subject(self, kind: str) -> str:
        return f"{self.name}.{kind}"

    async def ensure(self) -> None:
        """Create it if it does not exist; an existing one is used as it is.

        Raises:
            nats.errors.Error: JetStream refused, or did not answer.
        """
        try:
            await ask(self._client, f"STREAM.INFO.{self.name}")
        except NotFoundError:
            await ask(self._client, f"STREAM.CREATE.{self.name}", self._config)

    async def end(self) -> End:
        """Where the stream ends now.

        Raises:
            nats.errors.Error: JetStream refused, or did not answer.
        """
        info = await ask(self._client, f"STREAM.INFO.{self.name}")
        # Sequence first: if something arrives in between, the next expectation fails, and nothing is published twice.
        found = [await self._last(kind) for kind in TYPES] if info["state"]["messages"] else [0]
        return End(info["state"]["last_seq"], max(found))

    async def _last(self, kind: str) -> int:
        try:
            answer = await ask(self._client, f"STREAM.MSG.GET.{self.name}", {"last_by_subj": self.subject(kind)})
        except NotFoundError:
            return 0
        return self._seq(answer["message"])

    def _seq(self, message: dict[str, Any]) -> int:
        """0 for events of another database, and for messages that aren't events."""
        try:
            event = orjson.loads(base64.b64decode(message["data"]))
            seq = int(event["seq"])
            return seq if event["id"].startswith(id_start(self._origin, seq)) else 0
        except JUNK:
            return 0
