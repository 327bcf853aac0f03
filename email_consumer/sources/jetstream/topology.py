"""The mail stream, its durable pull consumers, and the dead-letter stream: created if missing, otherwise checked."""

import structlog
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig, StreamInfo
from nats.js.errors import APIError, NotFoundError

from email_consumer.core.mail_queue import Delivered
from email_consumer.sources.jetstream.consumer import StreamIdentity
from email_consumer.sources.jetstream.dead_letter import dead_letter_stream
from email_consumer.sources.jetstream.drift import ConsumerNeeds, covers, stream_errors, stream_risks
from email_consumer.sources.jetstream.durable_consumer import DurableConsumer, TopologyError, lines
from email_consumer.sources.jetstream.mail_stream import MailStream
from email_consumer.sources.jetstream.transactional_lane import TransactionalLane

_DUPLICATE_WINDOW = 120.0
_DEAD_LETTER_WINDOW = 86_400.0
"""A letter that is delivered again after a crash must not be stored twice, also if nobody was there for hours."""

_NOT_ENABLED = {10039, 10076}
_TOO_MANY_REPLICAS = 10074
_OVERLAPPING_CONSUMER = {10099, 10100}

_log = structlog.get_logger(__name__)


class Topology:
    """A mail stream with its consumers. `ensure` may be called again at any time, as after the stream was deleted."""

    def __init__(self, client: Client, mail: MailStream) -> None:
        """`client` is connected."""
        self.mail = mail
        self._client = client
        self._jetstream: JetStreamContext = client.jetstream()
        other = "" if covers(mail.subject, mail.transactional_subject) else mail.transactional_subject
        needs = ConsumerNeeds.of(mail.subject, mail.ack_wait, mail.concurrency, other_subject=other)
        self._consumer = DurableConsumer(client, mail.stream, mail.consumer, needs, lease=mail.consumer)
        self.transactional = TransactionalLane(
            client,
            stream=mail.stream,
            bulk=self._consumer,
            needs=ConsumerNeeds.of(mail.transactional_subject, mail.ack_wait, mail.concurrency),
        )

    async def ensure(self, *, adopt: bool = False) -> None:
        """Create what is missing, update what may be updated, warn of what may lose mail.

        `adopt`: send transactional mail that was published before anybody read its subject.

        Raises:
            TopologyError: something has to be changed by hand.
            nats.errors.Error: JetStream did not answer, or not now; try again.
        """
        try:
            stream = await self.transactional.add_subject(await self._ensure_stream())
            await self._consumer.ensure(stream)
            await ensure_dead_letter_stream(self._jetstream, self.mail.stream, self.mail.replicas)
            await self.transactional.ensure(stream, adopt=adopt)
        except APIError as error:
            raise self._in_plain_words(error) from error

    async def delivered(self) -> Delivered:
        """What the consumers have delivered so far, to whomever, or may have before they were deleted and created again.

        Raises:
            nats.errors.Error: JetStream did not answer.
        """
        bulk = await self._consumer.info()
        identity = await StreamIdentity(self._client, self.mail.stream).of(bulk)
        try:
            transactional = DurableConsumer.delivered(await self.transactional.consumer.info())
        except NotFoundError:
            transactional = 0
        return Delivered(DurableConsumer.delivered(bulk), transactional, identity)

    async def _ensure_stream(self) -> StreamInfo:
        try:
            info = await self._jetstream.stream_info(self.mail.stream)
        except NotFoundError:
            config = StreamConfig(
                name=self.mail.stream,
                subjects=[f"{self.mail.stream}.*"],
                retention=RetentionPolicy.WORK_QUEUE,
                storage=StorageType.FILE,
                discard=DiscardPolicy.NEW,
                num_replicas=self.mail.replicas,
                duplicate_window=_DUPLICATE_WINDOW,
            )
            info = await self._jetstream.add_stream(config)
            _log.info("stream.created", stream=self.mail.stream, subjects=config.subjects, replicas=self.mail.replicas)
        if errors := stream_errors(info.config, self.mail.subject):
            raise TopologyError(lines(f"stream {self.mail.stream!r}", errors))
        for risk in stream_risks(info.config):
            _log.warning("stream.risk", stream=self.mail.stream, risk=risk)
        return info

    def _in_plain_words(self, error: APIError) -> Exception:
        text = error.description or str(error)
        code = error.err_code or 0
        if code in _NOT_ENABLED:
            return TopologyError("JetStream is not enabled on the NATS server (or for this account)")
        if code == _TOO_MANY_REPLICAS:
            return TopologyError(f"NATS_REPLICAS is {self.mail.replicas}, which this server can't hold: {text}")
        if code in _OVERLAPPING_CONSUMER:
            return TopologyError(
                f"stream {self.mail.stream!r} is a work queue, and another consumer already takes {self.mail.subject!r} from it: "
                f"name that one in CONSUMER, or delete it ({text})"
            )
        if error.code and 400 <= error.code < 500:  # noqa: PLR2004 - the server understood and refuses
            return TopologyError(
                f"NATS refuses stream {self.mail.stream!r} or consumer {self._consumer.name!r}: {text}"
            )
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
