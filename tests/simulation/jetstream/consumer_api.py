"""The API's verbs about consumers."""

from typing import TYPE_CHECKING, Any

from tests.simulation.jetstream import errors
from tests.simulation.jetstream.consumer import Consumer
from tests.simulation.jetstream.consumer_config import check_for_stream, check_update, complete
from tests.simulation.jetstream.environment import nanoseconds
from tests.simulation.jetstream.info import consumer_info
from tests.simulation.jetstream.message import NEVER, parse_time

if TYPE_CHECKING:
    from tests.simulation.jetstream.jetstream import JetStream

Json = dict[str, Any]

_LISTED, _NAMED = 256, 1_024
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class ConsumerApi:
    def __init__(self, jetstream: "JetStream") -> None:
        self._jetstream = jetstream

    def create_durable(self, about: str, question: Json) -> Json:
        stream, _, name = about.partition(".")
        if question["config"].get("durable_name") != name:
            raise errors.ApiError(400, 10017, "consumer name in subject does not match durable name in request")
        return self._create(stream, name, question)

    def create(self, about: str, question: Json) -> Json:
        stream, _, rest = about.partition(".")
        return self._create(stream, rest.partition(".")[0], question)

    def info(self, about: str, _question: Json) -> Json:
        return self._described(self._find(about))

    def listed(self, name: str, question: Json) -> Json:
        consumers = list(self._jetstream.stream(name).consumers.values())
        offset = question.get("offset", 0)
        page = [self._described(each) for each in consumers[offset : offset + _LISTED]]
        return {"total": len(consumers), "offset": offset, "limit": _LISTED, "consumers": page}

    def names(self, name: str, _question: Json) -> Json:
        consumers = list(self._jetstream.stream(name).consumers)
        return {"total": len(consumers), "offset": 0, "limit": _NAMED, "consumers": consumers}

    def delete(self, about: str, _question: Json) -> Json:
        self._jetstream.delete_consumer(self._find(about))
        return {"success": True}

    def pause(self, about: str, question: Json) -> Json:
        consumer = self._find(about)
        until = question.get("pause_until") or NEVER
        config = {**consumer.config, "pause_until": until}
        if until == NEVER:
            del config["pause_until"]
        consumer.pause(config)
        answer: Json = {"paused": consumer.paused, "pause_until": until}
        if consumer.paused:
            answer["pause_remaining"] = parse_time(until) - nanoseconds(self._jetstream.now)
        return answer

    def _create(self, stream_name: str, name: str, question: Json) -> Json:
        if question.get("stream_name") != stream_name:
            raise errors.ApiError(400, 10056, "stream name in subject does not match request")
        stream = self._jetstream.stream(stream_name)
        name = name or "".join(self._jetstream.environment.random.choices(_LETTERS, k=8))
        config = complete(name, question["config"])
        action, existing = question.get("action", ""), stream.consumers.get(name)
        others = [each.config for each in stream.consumers.values() if each is not existing]
        if existing is None:
            if action == "update":
                raise errors.ApiError(400, 10149, "consumer does not exist")
            check_for_stream(config, stream.config, others)
            return self._made(Consumer(self._jetstream.environment, stream, name, config))
        if existing.config != config:
            if action == "create":
                raise errors.ApiError(400, 10148, "consumer already exists")
            check_update(existing.config, config)
            check_for_stream(config, stream.config, others)
            existing.update(config)
        return self._described(existing)

    def _made(self, consumer: Consumer) -> Json:
        """Its description, from before it has delivered something or after that: the real server does both at once."""
        self._jetstream.add_consumer(consumer)
        before = self._described(consumer)
        consumer.delivering.pump()
        return before if self._jetstream.environment.random.random() < 0.5 else self._described(consumer)

    def _find(self, about: str) -> Consumer:
        stream, _, name = about.partition(".")
        consumer = self._jetstream.stream(stream).consumers.get(name)
        if consumer is None:
            raise errors.no_consumer()
        return consumer

    def _described(self, consumer: Consumer) -> Json:
        return consumer_info(consumer, self._jetstream.now)
