"""All streams and consumers of a server, and what is published to them."""

from tests.simulation.jetstream import errors
from tests.simulation.jetstream.api import Api
from tests.simulation.jetstream.consumer import Consumer
from tests.simulation.jetstream.environment import NANOSECONDS, Environment
from tests.simulation.jetstream.interest import Interest
from tests.simulation.jetstream.message import Headers
from tests.simulation.jetstream.message_api import direct_get
from tests.simulation.jetstream.pull import Pull
from tests.simulation.jetstream.push import WINDOW, Push
from tests.simulation.jetstream.stream import Stream
from tests.simulation.jetstream.stream_config import Config

_API, _ACK, _NEXT, _DIRECT, _FLOW = "$JS.API.", "$JS.ACK.", "CONSUMER.MSG.NEXT.", "DIRECT.GET.", "$JS.FC."
_CACHED = 100_000


class JetStream:
    """`handle` takes everything that clients publish."""

    server_name = "simulated"

    def __init__(self, environment: Environment, interest: Interest, *, servers: int = 1) -> None:
        """`servers`: of the cluster, which limits replicas."""
        self.environment = environment
        self.servers = servers
        self.streams: dict[str, Stream] = {}
        self.has_leader = True
        """Whether anybody answers API requests about streams that have a leader."""
        self.silent = False
        """Whether API requests that can't be served now get no answer, instead of an error."""
        self.window = WINDOW
        """Bytes under way to a consumer with flow control."""
        self._interest = interest
        self._api = Api(self)
        self._taker: dict[str, Stream | None] = {}
        interest.on_change = self._interest_changed

    @property
    def now(self) -> float:
        return self.environment.now

    def handle(self, subject: str, reply: str, data: bytes, headers: Headers | None) -> bool:
        """Take a message that a client published; False if it is nothing to JetStream."""
        if subject.startswith("$JS."):
            return self._control(subject, reply, data)
        stream = self._taker[subject] if subject in self._taker else self._find_taker(subject)
        if stream is None or not stream.has_leader:
            return False
        try:
            answer = stream.publish(subject, data, headers)
        except errors.ApiError as error:
            text = b'{"error":{"code":%d,"err_code":%d,"description":"%s"},"stream":"%s","seq":0}'
            described = error.description.replace('"', '\\"').encode()
            answer = text % (error.code, error.err_code, described, stream.name.encode())
        if reply and not stream.config.get("no_ack"):
            self._interest.deliver(reply, reply, "", answer, None)
        return True

    def available(self, name: str) -> bool:
        """Whether requests about the stream are served now."""
        stream = self.streams.get(name)
        return self.has_leader and (stream is None or stream.has_leader)

    def stream(self, name: str) -> Stream:
        """The stream; `ApiError` if there is none."""
        if name not in self.streams:
            raise errors.no_stream()
        return self.streams[name]

    def add_stream(self, config: Config) -> Stream:
        stream = self.streams[config["name"]] = Stream(self.environment, config)
        self.subjects_changed()
        return stream

    def subjects_changed(self) -> None:
        """Streams may take other subjects now."""
        self._taker.clear()

    def delete_stream(self, stream: Stream) -> None:
        for consumer in list(stream.consumers.values()):
            self.delete_consumer(consumer)
        stream.close()
        del self.streams[stream.name]
        self.subjects_changed()

    def add_consumer(self, consumer: Consumer) -> None:
        pushes = "deliver_subject" in consumer.config
        consumer.delivering = Push(consumer, self._interest, self.window) if pushes else Pull(consumer, self._interest)
        consumer.stream.consumers[consumer.name] = consumer
        self._expect_activity(consumer)

    def delete_consumer(self, consumer: Consumer, status: str = "409 Consumer Deleted") -> None:
        del consumer.stream.consumers[consumer.name]
        consumer.close(status)

    def _control(self, subject: str, reply: str, data: bytes) -> bool:
        if subject.startswith(_ACK):
            self._acknowledge(subject.split("."), reply, data)
            return True
        if subject.startswith(_FLOW):
            name, consumer = subject.split(".")[2:4]
            found = self.streams[name].consumers.get(consumer) if name in self.streams else None
            if found and isinstance(found.delivering, Push):
                found.delivering.confirmed(subject)
            return True
        if not subject.startswith(_API):
            return False
        request = subject[len(_API) :]
        if request.startswith(_NEXT):
            return self._pull(request[len(_NEXT) :], reply, data)
        if request.startswith(_DIRECT):
            return self._direct_get(request[len(_DIRECT) :], reply, data)
        self._answer(request, reply, data)
        return True

    def _answer(self, request: str, reply: str, data: bytes) -> None:
        answer = self._api.answer(request, data)
        if answer is not None and reply:
            self._interest.deliver(reply, reply, "", answer, None)

    def _acknowledge(self, tokens: list[str], reply: str, answer: bytes) -> None:
        stream = self.streams.get(tokens[2])
        if stream is None or not stream.has_leader or tokens[3] not in stream.consumers:
            return
        stream.consumers[tokens[3]].answered(int(tokens[5]), int(tokens[6]), answer)
        if reply:
            self._interest.deliver(reply, reply, "", b"", None)

    def _pull(self, about: str, reply: str, data: bytes) -> bool:
        name, _, consumer_name = about.partition(".")
        stream = self.streams.get(name)
        consumer = stream.consumers.get(consumer_name) if stream and stream.has_leader else None
        if consumer is None or not isinstance(consumer.delivering, Pull):
            return False
        consumer.delivering.request(reply, data)
        return True

    def _direct_get(self, about: str, reply: str, data: bytes) -> bool:
        name, _, subject = about.partition(".")
        stream = self.streams.get(name)
        if stream is None or not stream.config["allow_direct"]:
            return False
        found, headers = direct_get(stream, subject, data)
        self._interest.deliver(reply, reply, "", found, headers)
        return True

    def _find_taker(self, subject: str) -> Stream | None:
        if len(self._taker) > _CACHED:
            self._taker.clear()
        found = next((stream for stream in self.streams.values() if stream.takes(subject)), None)
        self._taker[subject] = found
        return found

    def _interest_changed(self, pattern: str) -> None:
        for stream in self.streams.values():
            for consumer in stream.consumers.values():
                if isinstance(consumer.delivering, Push) and consumer.config["deliver_subject"] == pattern:
                    consumer.delivering.interest_changed()

    def _expect_activity(self, consumer: Consumer) -> None:
        """Delete the consumer once nobody has used it for the time that its configuration says."""
        threshold = consumer.config.get("inactive_threshold", 0) / NANOSECONDS
        if not threshold or consumer.stream.consumers.get(consumer.name) is not consumer:
            return
        idle = self.now - consumer.delivering.idle_since
        if idle >= threshold - 1e-9:
            self.delete_consumer(consumer)
        else:
            self.environment.after(threshold - idle, self._expect_activity, consumer)
