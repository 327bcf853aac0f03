"""The lane of transactional mail: a separate subject and consumer, so that it never waits for bulk mail.

JetStream delivers a consumer's mail in order, so priority within one consumer is impossible. Unlike the first consumer this
one is not indispensable: where the stream can't carry it, there is one lane, and `missing` says why. That holds as long as the
process runs, so only what waiting doesn't change is such a reason; anything else is raised, as it is for the first consumer.
"""

from collections.abc import Mapping

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import StreamInfo
from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError

from email_consumer.core.mail_queue import lane_of
from email_consumer.jetstream.api import ask
from email_consumer.message.lane import Lane
from email_consumer.sources.jetstream.drift import ConsumerNeeds, covers
from email_consumer.sources.jetstream.durable_consumer import DurableConsumer, TopologyError

_log = structlog.get_logger(__name__)


class TransactionalLane:
    def __init__(self, client: Client, *, stream: str, bulk: DurableConsumer, needs: ConsumerNeeds) -> None:
        """Describe the lane.

        Args:
            client: connected.
            stream: holds the mail of both lanes.
            bulk: the other lane's consumer.
            needs: of this lane's consumer; without a subject there is no such lane.
        """
        self.subject = needs.subject
        self.consumer = DurableConsumer(client, stream, f"{bulk.name}-transactional", needs, lease=bulk.name)
        self.missing = "it was not looked for yet"
        """Why there is no such lane; empty if there is one."""
        self._client = client
        self._stream = stream
        self._bulk = bulk
        self._logged = ""

    def takes(self, headers: Mapping[str, str]) -> bool:
        """Whether a message with these headers belongs on its subject."""
        return not self.missing and lane_of(headers) is Lane.TRANSACTIONAL

    async def add_subject(self, stream: StreamInfo) -> StreamInfo:
        """Let the stream take the subject; no more than that is changed. Returns the stream as it is afterwards.

        Raises:
            nats.errors.Error: JetStream did not answer.
        """
        before = self._client.last_error
        self.missing = self.conflict
        if self.missing or any(covers(each, self.subject) for each in stream.config.subjects or ()):
            return stream
        try:
            config = (await ask(self._client, f"STREAM.INFO.{self._stream}"))["config"]
            subjects = [*(config.get("subjects") or ()), self.subject]
            await ask(self._client, f"STREAM.UPDATE.{self._stream}", {**config, "subjects": subjects})
        except NatsError as error:
            self.missing = (
                f"the stream does not take {self.subject!r}, and can't be changed: {self._refusal(error, before)}"
            )
            return stream
        _log.info("stream.subject_added", stream=self._stream, subject=self.subject)
        return await self._client.jetstream().stream_info(self._stream)

    async def ensure(self, stream: StreamInfo, *, adopt: bool = False) -> None:
        """Create the consumer if possible, once the `stream` takes the subject; `missing` says why it is not.

        Args:
            stream: as `add_subject` returned it.
            adopt: also if messages lie on the subject that were published before anybody read it.

        Raises:
            nats.errors.Error: JetStream did not answer.
        """
        if not self.missing:
            self.missing = await self._obstacle(stream, adopt=adopt)
        if self.missing and self.subject and self.missing != self._logged:
            hint = "transactional mail waits its turn among bulk mail"
            _log.warning("lanes.one", subject=self.subject, reason=self.missing, hint=hint)
        self._logged = self.missing

    async def find(self) -> None:
        """See whether the lane exists, without creating it.

        Raises:
            nats.errors.Error: JetStream did not answer.
        """
        try:
            await self.consumer.info()
        except NotFoundError:
            self.missing = self.conflict or f"it has no consumer {self.consumer.name!r}"
        else:
            self.missing = self.conflict

    @property
    def conflict(self) -> str:
        """What in the settings is in the way of such a lane; empty if nothing is."""
        if not self.subject:
            return "no subject is set for it"
        bulk = self._bulk.needs.subject
        if covers(bulk, self.subject):
            return f"SUBJECT {bulk!r} covers {self.subject!r}"
        return ""

    async def _obstacle(self, stream: StreamInfo, *, adopt: bool) -> str:
        before = self._client.last_error
        try:
            # If the other consumer was only just created there is no earlier version, whose users may have forgotten this
            # mail; nor if this one has been there before, and got lost.
            if not (adopt or await self._bulk.has_other()) and (waiting := await self.unread()):
                return (
                    f"{waiting:,} messages lie on {self.subject!r} from before it was read; "
                    "`email-consumer lanes adopt` has them sent, or purge the subject"
                )
            await self.consumer.ensure(stream)
            await self._bulk.note_other()
        except TopologyError as error:
            return str(error)
        except NatsError as error:
            return f"its consumer {self.consumer.name!r} can't be created: {self._refusal(error, before)}"
        return ""

    def _refusal(self, error: NatsError, before: Exception | None) -> str:
        """Why the next attempt would fail as well; `before` is the client's last error before this one.

        Raises:
            nats.errors.Error: it need not: `error`.
        """
        if isinstance(error, APIError) and not isinstance(error, (ServiceUnavailableError, NotFoundError)):
            return f"NATS refuses: {error.description or error}"
        # A request without permission gets no answer, but the server reports an error to the client.
        reported = self._client.last_error
        if reported is not before and "permissions violation" in str(reported):
            return "our user is not permitted to"
        raise error

    async def unread(self) -> int:
        """Messages on the subject while it has no consumer of ours; 0 once it has.

        Raises:
            nats.js.errors.NotFoundError: there is no stream.
            nats.errors.Error: JetStream did not answer.
        """
        try:
            await self.consumer.info()
        except NotFoundError:
            info = await ask(self._client, f"STREAM.INFO.{self._stream}", {"subjects_filter": self.subject})
            return sum((info["state"].get("subjects") or {}).values())
        return 0
