"""The mail stream, its durable pull consumer, and the dead-letter stream: created if missing, otherwise checked."""

from collections.abc import Mapping
from typing import Any

import structlog
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
    StreamInfo,
)
from nats.js.errors import APIError, NotFoundError

from email_consumer.jetstream.api import ask
from email_consumer.runtime.errors import OperatorError
from email_consumer.sources.jetstream.consumer import StreamIdentity
from email_consumer.sources.jetstream.dead_letter import dead_letter_stream
from email_consumer.sources.jetstream.drift import (
    Changes,
    ConsumerNeeds,
    consumer_changes,
    consumer_errors,
    consumer_risks,
    in_json,
    stream_errors,
    stream_risks,
)

_DUPLICATE_WINDOW = 120.0
_DEAD_LETTER_WINDOW = 86_400.0
"""A letter that is delivered again after a crash must not be stored twice, also if nobody was there for hours."""

_NOT_ENABLED = {10039, 10076}
_TOO_MANY_REPLICAS = 10074
_OVERLAPPING_CONSUMER = {10099, 10100}

_log = structlog.get_logger(__name__)


class TopologyError(OperatorError):
    """Stream or consumer can't be used as they are; one line per problem, each saying what to change."""


class Topology:
    """Names and needs of one queue. `ensure` may be called again at any time, as after the stream was deleted."""

    def __init__(
        self,
        client: Client,
        *,
        stream: str,
        subject: str,
        consumer: str,
        ack_wait: float,
        concurrency: int,
        replicas: int,
    ) -> None:
        """`ack_wait` in seconds; `replicas` of what has to be made."""
        self._client = client
        self._jetstream: JetStreamContext = client.jetstream()
        self._stream = stream
        self._subject = subject
        self._consumer = consumer
        self._needs = ConsumerNeeds.of(subject, ack_wait, concurrency)
        self._replicas = replicas

    async def ensure(self) -> None:
        """Create what is missing, update what may be updated, warn of what may lose mail.

        Raises:
            TopologyError: something has to be changed by hand.
            nats.errors.Error: JetStream did not answer, or not now; try again.
        """
        try:
            stream = await self._ensure_stream()
            await self._ensure_consumer(stream)
            await ensure_dead_letter_stream(self._jetstream, self._stream, self._replicas)
        except APIError as error:
            raise self._in_plain_words(error) from error

    async def delivered(self) -> tuple[int, str]:
        """The last stream sequence that the consumer has delivered so far, to whomever, and which stream that counts in."""
        info = await ask(self._client, f"CONSUMER.INFO.{self._stream}.{self._consumer}")
        return info["delivered"]["stream_seq"], await StreamIdentity(self._client, self._stream).of(info)

    async def _ensure_stream(self) -> StreamInfo:
        try:
            info = await self._jetstream.stream_info(self._stream)
        except NotFoundError:
            config = StreamConfig(
                name=self._stream,
                subjects=[f"{self._stream}.*"],
                retention=RetentionPolicy.WORK_QUEUE,
                storage=StorageType.FILE,
                discard=DiscardPolicy.NEW,
                num_replicas=self._replicas,
                duplicate_window=_DUPLICATE_WINDOW,
            )
            info = await self._jetstream.add_stream(config)
            _log.info("stream.created", stream=self._stream, subjects=config.subjects, replicas=self._replicas)
        if errors := stream_errors(info.config, self._subject):
            raise TopologyError(_lines(f"stream {self._stream!r}", errors))
        for risk in stream_risks(info.config):
            _log.warning("stream.risk", stream=self._stream, risk=risk)
        return info

    async def _ensure_consumer(self, stream: StreamInfo) -> None:
        try:
            info = await ask(self._client, f"CONSUMER.INFO.{self._stream}.{self._consumer}")
        except NotFoundError:
            await self._create_consumer(stream)
            return
        config = ConsumerConfig.from_response(dict(info["config"]))
        if errors := consumer_errors(config, stream.config, self._subject):
            errors.append("name another one in CONSUMER, or delete this one so that it is recreated")
            raise TopologyError(_lines(f"consumer {self._consumer!r} of stream {self._stream!r}", errors))
        await self._bring_in_line(info["config"], consumer_changes(config, self._needs))
        for risk in consumer_risks(info["config"], self._client.max_payload):
            _log.warning("consumer.risk", consumer=self._consumer, risk=risk)

    async def _create_consumer(self, stream: StreamInfo) -> None:
        await self._jetstream.add_consumer(
            self._stream,
            ConsumerConfig(
                durable_name=self._consumer,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=self._needs.ack_wait,
                max_deliver=-1,  # throttles would count: attempts are counted by the ledger
                max_ack_pending=self._needs.max_ack_pending,
                filter_subject=self._subject,
            ),
        )
        _log.info("consumer.created", stream=self._stream, consumer=self._consumer, subject=self._subject)
        if stream.config.retention != RetentionPolicy.WORK_QUEUE and stream.state.messages:
            _log.warning(
                "consumer.starts_at_the_beginning",
                consumer=self._consumer,
                messages=stream.state.messages,
                hint="the stream keeps mail after it was acked; whatever it holds is now delivered to the new consumer",
            )

    async def _bring_in_line(self, found: Mapping[str, Any], changes: Changes) -> None:
        """`found` is the configuration in the server's own JSON: all of it is written back, whatever we know of it."""
        if not changes:
            return
        config = {**found, **{name: in_json(name, wanted) for name, (_, wanted, _) in changes.items()}}
        question = {"stream_name": self._stream, "config": config, "action": "update"}
        await ask(self._client, f"CONSUMER.DURABLE.CREATE.{self._stream}.{self._consumer}", question)
        for name, (before, now, reason) in changes.items():
            _log.warning("consumer.updated", consumer=self._consumer, field=name, found=before, now=now, reason=reason)

    def _in_plain_words(self, error: APIError) -> Exception:
        text = error.description or str(error)
        code = error.err_code or 0
        if code in _NOT_ENABLED:
            return TopologyError("JetStream is not enabled on the NATS server (or for this account)")
        if code == _TOO_MANY_REPLICAS:
            return TopologyError(f"NATS_REPLICAS is {self._replicas}, which this server can't hold: {text}")
        if code in _OVERLAPPING_CONSUMER:
            return TopologyError(
                f"stream {self._stream!r} is a work queue, and another consumer already takes {self._subject!r} from it: "
                f"name that one in CONSUMER, or delete it ({text})"
            )
        if error.code and 400 <= error.code < 500:  # noqa: PLR2004 - the server understood and refuses
            return TopologyError(f"NATS refuses stream {self._stream!r} or consumer {self._consumer!r}: {text}")
        return error


async def ensure_dead_letter_stream(jetstream: JetStreamContext, stream: str, replicas: int) -> None:
    """Dead letters stay until they are replayed or removed: no limits unless an operator sets some."""
    name = dead_letter_stream(stream)
    try:
        await jetstream.stream_info(name)
    except NotFoundError:
        await jetstream.add_stream(
            StreamConfig(
                name=name,
                subjects=[f"{name}.*"],
                retention=RetentionPolicy.LIMITS,
                storage=StorageType.FILE,
                discard=DiscardPolicy.NEW,
                num_replicas=replicas,
                duplicate_window=_DEAD_LETTER_WINDOW,
            )
        )
        _log.info("stream.created", stream=name, replicas=replicas)


def _lines(what: str, errors: list[str]) -> str:
    return "\n".join(f"{what}: {error}" for error in errors)
