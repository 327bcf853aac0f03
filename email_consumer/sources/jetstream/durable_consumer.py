"""One durable pull consumer of the mail stream: created if missing, otherwise checked and brought in line."""

from collections.abc import Mapping
from typing import Any

import structlog
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StreamInfo
from nats.js.errors import NotFoundError

from email_consumer.jetstream.api import ask
from email_consumer.runtime.errors import OperatorError
from email_consumer.sources.jetstream.consumer_lease import was_held
from email_consumer.sources.jetstream.drift import (
    Changes,
    ConsumerNeeds,
    consumer_changes,
    consumer_errors,
    consumer_risks,
    in_json,
)

_OTHER = "email-consumer-other-subject"
"""Key in a consumer's metadata: the subject of our other consumer of the stream, once there is or may be one."""
_EARLIER = "email-consumer-earlier-last-sequence"
"""Key in the metadata of a consumer that replaces one that was deleted: the stream's last sequence number at that moment."""

_log = structlog.get_logger(__name__)


class TopologyError(OperatorError):
    """Stream or consumer can't be used as they are; one line per problem, each saying what to change."""


class DurableConsumer:
    """`ensure` may be called again at any time, as after the stream was deleted."""

    def __init__(self, client: Client, stream: str, name: str, needs: ConsumerNeeds, *, lease: str) -> None:
        """Describe the consumer. `lease`: the key of the lease on the queue (`ConsumerLease`)."""
        self.name = name
        self.stream = stream
        self.needs = needs
        self._client = client
        self._lease = lease

    async def info(self) -> dict[str, Any]:
        """What the server says of it.

        Raises:
            nats.js.errors.NotFoundError: there is no such consumer.
            nats.errors.Error: JetStream did not answer.
        """
        return await ask(self._client, f"CONSUMER.INFO.{self.stream}.{self.name}")

    @classmethod
    def delivered(cls, info: Mapping[str, Any]) -> int:
        """The last sequence number that may have been delivered: by this consumer, or by one that it replaces."""
        return max(int(info["delivered"]["stream_seq"]), int(cls._metadata(info).get(_EARLIER, 0)))

    async def has_other(self) -> bool:
        """Whether there has been the other consumer.

        Raises:
            nats.errors.Error: JetStream did not answer.
        """
        return bool(self._metadata(await self.info()).get(_OTHER) == self.needs.other_subject)

    async def note_other(self) -> None:
        """Note that there is the other consumer, so that it is recreated without a question should it get lost.

        Raises:
            nats.errors.Error: JetStream did not answer, or refuses.
        """
        info = await self.info()
        metadata = self._metadata(info)
        if metadata.get(_OTHER) != self.needs.other_subject:
            await self._update(info["config"] | {"metadata": {**metadata, _OTHER: self.needs.other_subject}})

    @staticmethod
    def _metadata(info: Mapping[str, Any]) -> dict[str, str]:
        return info["config"].get("metadata") or {}

    async def _update(self, config: dict[str, Any]) -> None:
        question = {"stream_name": self.stream, "config": config, "action": "update"}
        await ask(self._client, f"CONSUMER.DURABLE.CREATE.{self.stream}.{self.name}", question)

    async def ensure(self, stream: StreamInfo) -> None:
        """Create it, or update what may be updated, and warn of what may keep mail from coming.

        Raises:
            TopologyError: something has to be changed by hand.
            nats.errors.Error: JetStream did not answer, or refuses.
        """
        try:
            info = await self.info()
        except NotFoundError:
            await self._create(stream)
            return
        config = ConsumerConfig.from_response(dict(info["config"]))
        if errors := consumer_errors(config, stream.config, self.needs):
            errors.append("name another one in CONSUMER, or delete this one so that it is recreated")
            raise TopologyError(lines(f"consumer {self.name!r} of stream {self.stream!r}", errors))
        await self._bring_in_line(info["config"], consumer_changes(config, stream.config, self.needs))
        for risk in consumer_risks(info["config"], self._client.max_payload):
            _log.warning("consumer.risk", consumer=self.name, risk=risk)

    async def _create(self, stream: StreamInfo) -> None:
        metadata = {_OTHER: self.needs.other_subject} if self.needs.other_subject else {}
        if await was_held(self._client, self.stream, self._lease):
            metadata[_EARLIER] = str((await self._client.jetstream().stream_info(self.stream)).state.last_seq)
        info = await self._client.jetstream().add_consumer(
            self.stream,
            ConsumerConfig(
                durable_name=self.name,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=self.needs.ack_wait,
                max_deliver=-1,  # throttles would count: attempts are counted by the ledger
                max_ack_pending=self.needs.max_ack_pending,
                filter_subject=self.needs.subject,
                metadata=metadata or None,
            ),
        )
        _log.info("consumer.created", stream=self.stream, consumer=self.name, subject=self.needs.subject)
        if stream.config.retention != RetentionPolicy.WORK_QUEUE and info.num_pending:
            _log.warning(
                "consumer.starts_at_the_beginning",
                consumer=self.name,
                messages=info.num_pending,
                hint="the stream keeps mail after it was acked; whatever it holds on this subject is now delivered to the new consumer",
            )

    async def _bring_in_line(self, found: Mapping[str, Any], changes: Changes) -> None:
        """`found` is the configuration in the server's own JSON: all of it is written back, whatever we know of it."""
        if not changes:
            return
        await self._update({**found, **{name: in_json(name, wanted) for name, (_, wanted, _) in changes.items()}})
        for name, (before, now, reason) in changes.items():
            _log.warning("consumer.updated", consumer=self.name, field=name, found=before, now=now, reason=reason)


def lines(what: str, errors: list[str]) -> str:
    """One line per error."""
    return "\n".join(f"{what}: {error}" for error in errors)
