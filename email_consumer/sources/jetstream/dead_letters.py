"""The dead-letter stream: what can't be sent is kept here as it came, until an operator decides about it.

Stream `<STREAM>-dead`, subject `<STREAM>-dead.<kind>`, data the raw payload, details in headers.
"""

import re
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from uuid import UUID, uuid5

from nats.aio.client import Client
from nats.js.api import Header
from nats.js.errors import APIError, NotFoundError

from email_consumer.core.dead_letters import (
    DeadLetter,
    DeadLetterError,
    DeadLetterKind,
    DeadLetterRefusedError,
    Replayed,
    WholeDeadLetter,
)
from email_consumer.core.delivery import REPLAY_OF, Original
from email_consumer.jetstream.api import ask
from email_consumer.jetstream.publisher import (
    LostAckError,
    NoStreamError,
    Publisher,
    RefusedError,
    Stored,
    TooLargeError,
    fresh,
    header_bytes,
)
from email_consumer.message.model import UndecodableError, decode, with_uuid
from email_consumer.sources.jetstream.dead_letter import (
    ATTEMPTS,
    FAILED_AT,
    REASON,
    REFERENCE,
    SEQUENCE,
    dead_letter_stream,
    foreign_headers,
    header_value,
    listed,
    whole,
)
from email_consumer.sources.jetstream.message_heads import heads
from email_consumer.sources.jetstream.topology import ensure_dead_letter_stream
from email_consumer.sources.jetstream.transactional_lane import TransactionalLane

_PAGE = 200

_REPLAYS = UUID("6f1d0c1e-3c0b-4b0e-9a53-5d5a3f0f7c11")
"""Namespace of new uuids, which are derived from the letter: replaying a letter twice uses the same one."""


class JetStreamDeadLetters:
    """See `email_consumer.core.dead_letters.DeadLetterArchive`."""

    def __init__(
        self,
        client: Client,
        *,
        stream: str,
        subject: str,
        replicas: int,
        transactional: TransactionalLane | None = None,
    ) -> None:
        """Access the dead letters of a mail stream.

        Args:
            client: connected.
            stream: the mail stream.
            subject: where a replay goes.
            replicas: if the dead-letter stream has to be recreated.
            transactional: where a replay of transactional mail goes, unless that lane is missing.
        """
        self._client = client
        self._jetstream = client.jetstream()
        self._publisher = Publisher(client)
        self._source = stream
        self._stream = dead_letter_stream(stream)
        self._subject = re.sub(r"[*>]", "replay", subject)  # SUBJECT may be a filter, which nothing can be sent to
        self._replicas = replicas
        self._transactional = transactional

    async def store(self, original: Original, kind: str, reason: str, attempts: int) -> None:
        """Return once the copy is stored; the same original again makes no second one (within a day).

        Raises:
            DeadLetterRefusedError: it is larger than the NATS server takes, or than the stream's max_msg_size allows.
            RefusedError: the stream takes none at present; the text is the server's own.
            LostAckError, nats.errors.Error: not known to be stored; try again.
        """
        name = header_value(f"dlq:{original.reference}")
        # The number may have been another mail's, before the mail stream was recreated: the time distinguishes them. And the
        # stream remembers names longer than letters that were replayed, removed or purged since.
        for identity in (name, f"{name}:{original.stored_at:.6f}", fresh(name)):
            headers = self._headers(original, identity, reason, attempts)
            stored = await self._keep(f"{self._stream}.{kind}", original.payload, headers)
            if not stored.duplicate or await self._holds(stored.sequence, original.payload):
                return

    def _headers(self, original: Original, identity: str, reason: str, attempts: int) -> dict[str, str]:
        """The payload is what must be kept. One that fills max_payload to the brim leaves no room for any header."""
        named = {Header.MSG_ID.value: identity}
        details = named | {
            REASON: header_value(reason),
            REFERENCE: header_value(original.reference),
            SEQUENCE: str(original.sequence),
            ATTEMPTS: str(attempts),
            FAILED_AT: datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds"),
        }
        try:
            return self._that_fit(original.payload, [foreign_headers(original.headers) | details, details, named, {}])
        except DeadLetterError as error:
            raise DeadLetterRefusedError(str(error)) from None

    async def _keep(self, subject: str, payload: bytes, headers: dict[str, str]) -> Stored:
        try:
            try:
                return await self._publisher.once(subject, payload, headers)
            except NoStreamError:  # someone deleted it
                await ensure_dead_letter_stream(self._jetstream, self._source, self._replicas)
                return await self._publisher.once(subject, payload, headers)
        except TooLargeError as error:
            raise DeadLetterRefusedError(f"raise max_msg_size of the stream {self._stream}: {error}") from None

    async def _holds(self, sequence: int, payload: bytes) -> bool:
        try:
            return (await self.get(sequence)).payload == payload
        except DeadLetterError:
            return False

    async def walk(self, *, after: int = 0, kind: str = "*", page: int = _PAGE) -> AsyncGenerator[DeadLetter, None]:
        """All letters after sequence `after`, oldest first; `page` is how many are asked for at a time."""
        subject = f"{self._stream}.{kind}"
        async with aclosing(heads(self._client, self._stream, subject=subject, after=after, page=page)) as found:
            async for head in found:
                if head.size is not None:
                    yield listed(head, head.size)
                    continue
                with suppress(DeadLetterError):  # removed meanwhile
                    yield await self.get(head.sequence)

    async def list(self, limit: int = 50, after: int = 0, kind: str = "*") -> list[DeadLetter]:
        """At most `limit` letters after sequence `after`, oldest first."""
        letters: list[DeadLetter] = []
        async with aclosing(self.walk(after=after, kind=kind, page=min(limit, _PAGE))) as found:
            async for letter in found:
                letters.append(letter)
                if len(letters) >= limit:
                    break
        return letters

    async def last(self) -> int:
        """The highest sequence that a letter has had; 0 before the first one.

        Raises:
            nats.errors.Error: JetStream did not answer.
        """
        try:
            return int((await ask(self._client, f"STREAM.INFO.{self._stream}"))["state"]["last_seq"])
        except NotFoundError:
            return 0

    async def get(self, sequence: int) -> WholeDeadLetter:
        """One letter.

        Raises:
            DeadLetterError: no letter has this number.
        """
        try:
            return whole(await self._jetstream.get_msg(self._stream, seq=sequence))
        except NotFoundError:
            raise DeadLetterError(f"there is no dead letter {sequence} in {self._stream}") from None

    async def remove(self, sequence: int) -> None:
        """Delete a letter, and with it the only copy of its mail.

        Raises:
            DeadLetterError: there is no such letter, or it can't be deleted.
        """
        try:
            await self._jetstream.delete_msg(self._stream, sequence)
        except APIError as error:  # also, with various texts, if it does not exist
            await self.get(sequence)
            raise DeadLetterError(f"dead letter {sequence} could not be removed: {error.description}") from None

    async def replay(self, sequence: int, *, new_uuid: bool = False) -> Replayed:
        """Publish a letter's payload again, if asked under a `new_uuid`, and take it off the list.

        A crash in between leaves the letter where it is. Replaying it again then doubles nothing: the Nats-Msg-Id is the
        same while the message waits in the stream, and after it the ledger knows the uuid together with this replay.

        Raises:
            DeadLetterError: there is no such letter, it would become a dead letter again at once, or it can't be published.
        """
        letter = await self.get(sequence)
        if letter.kind == DeadLetterKind.CONFLICT and not new_uuid:
            raise DeadLetterError(
                f"dead letter {sequence} can't be replayed under its own uuid, which belongs to a mail to other recipients: "
                f"replay it under a new one (--new-uuid, new_uuid=true)"
            )
        # The time distinguishes letters with the same number if the dead-letter stream was recreated.
        name = f"{self._stream}:{sequence}:{letter.stored_at.timestamp():.6f}"
        try:
            payload = with_uuid(letter.payload, str(uuid5(_REPLAYS, name))) if new_uuid else letter.payload
            uuid = decode(payload).uuid
        except UndecodableError as error:
            raise DeadLetterError(
                f"dead letter {sequence} can't be replayed, it is not a valid message: {error}"
            ) from None
        identity = f"replay:{name}:{uuid}" if new_uuid else f"replay:{name}"
        mark = {Header.MSG_ID.value: identity, REPLAY_OF: name}
        try:
            headers = self._that_fit(payload, [foreign_headers(letter.headers) | mark, mark])
        except DeadLetterError as error:
            # Without the header that marks it, the ledger would take it for a duplicate of the failed mail.
            raise DeadLetterError(f"dead letter {sequence} can't be replayed: {error}") from None
        try:
            stored = await self._publisher.store(self._subject_of(letter), payload, identity, headers)
        except NoStreamError:
            raise DeadLetterError(
                f"no stream takes {self._subject_of(letter)}; start the sender once, it makes the stream"
            ) from None
        except RefusedError as error:
            raise DeadLetterError(f"dead letter {sequence} stays: NATS does not store it again: {error}") from None
        except LostAckError as error:
            raise DeadLetterError(
                f"dead letter {sequence} stays: {error}; replay it again, that doubles nothing"
            ) from None
        try:
            await self._jetstream.delete_msg(self._stream, sequence)
        except NotFoundError:
            pass  # someone else replayed it at the same moment, under the same Nats-Msg-Id
        except APIError as error:
            raise DeadLetterError(
                f"dead letter {sequence} was published again, but could not be taken off the list: {error.description}"
            ) from None
        return Replayed(stored.sequence, uuid)

    def _subject_of(self, letter: WholeDeadLetter) -> str:
        lane = self._transactional
        return lane.subject if lane and lane.takes(letter.headers) else self._subject

    def _that_fit(self, payload: bytes, choices: Iterable[dict[str, str]]) -> dict[str, str]:
        """The first headers that fit together with the payload; exceeding max_payload would end the connection for good."""
        room = self._client.max_payload - len(payload)
        for headers in choices:
            if header_bytes(headers) <= room:
                return headers
        raise DeadLetterError(
            f"{len(payload)} bytes and the headers are more than the NATS server takes; "
            f"raise its max_payload ({self._client.max_payload})"
        )
