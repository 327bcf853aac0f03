"""The reading journal of workers, in a key-value bucket; see `CarefulReader`.

Workers have no database, and another worker may get the next delivery. So the journal is in JetStream, with a counter per
delivery that is incremented before each read and deleted after it.
"""

from contextlib import suppress

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import Header
from nats.js.errors import NotFoundError

from email_consumer.jetstream.publisher import ConflictError, LostAckError, Publisher, RefusedError
from email_consumer.ledgers.jetstream.streams import Names

_PATIENCE = 2.0
"""Seconds to wait for an answer: the journal must not delay a delivery for long."""
_TRIES = 3
"""Other workers may be writing the same counter."""
_KEPT = 21_600
"""Seconds: longer than it takes until a mail has killed its last reader."""
_DELETION_KEPT = _KEPT + 600
"""Seconds. A deletion outlives the counter that it replaced: if nats-server (2.15.1) is killed just after a deletion has
expired, what it replaced is there again. Then a note would stay of each reading, and three of them would bury the mail."""
_MOST_DIGITS = 9
"""Digits of a counter we wrote."""
_DELETION = {"KV-Operation": "DEL", Header.MSG_TTL.value: str(_DELETION_KEPT)}


class BucketJournal:
    def __init__(self, client: Client, stream: str) -> None:
        """`stream` is the mail's."""
        self._client = client
        self._publisher = Publisher(client, _PATIENCE)
        self._jetstream = client.jetstream(timeout=_PATIENCE)
        self._names = Names(stream)

    async def begin(self, key: str) -> int:
        begun = revision = 0
        with suppress(
            TimeoutError, NatsError, LostAckError, RefusedError
        ):  # nothing is known while JetStream is unavailable
            for _ in range(_TRIES):
                headers = {Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(revision), Header.MSG_TTL.value: str(_KEPT)}
                try:
                    await self._publisher.once(self._names.reading(key), str(begun + 1).encode(), headers)
                except ConflictError:
                    begun, revision = await self._read(key)
                else:
                    break
        return begun

    async def end(self, key: str) -> None:
        with suppress(NatsError):
            await self._client.publish(self._names.reading(key), b"", headers=dict(_DELETION))

    async def _read(self, key: str) -> tuple[int, int]:
        try:
            raw = await self._jetstream.get_msg(self._names.readings_stream, subject=self._names.reading(key))
        except NotFoundError:
            return 0, 0
        assert raw.seq is not None  # noqa: S101 - the server always says
        begun = raw.data or b""
        return int(begun) if begun.isdigit() and len(begun) <= _MOST_DIGITS else 0, raw.seq
