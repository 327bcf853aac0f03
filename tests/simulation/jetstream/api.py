"""JetStream's API: a verb, a question in JSON, an answer in JSON.

Source: https://docs.nats.io/reference/reference-protocols/nats_api_reference
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from tests.simulation.jetstream import errors
from tests.simulation.jetstream.consumer_api import ConsumerApi
from tests.simulation.jetstream.message_api import MessageApi
from tests.simulation.jetstream.stream_api import StreamApi

if TYPE_CHECKING:
    from tests.simulation.jetstream.jetstream import JetStream

Json = dict[str, Any]

_EMPTY_ON_ERROR: dict[str, Json] = {
    "stream_info": {"total": 0, "offset": 0, "limit": 0},
    "stream_purge": {"purged": 0},
    "consumer_list": {"total": 0, "offset": 0, "limit": 0, "consumers": []},
}


class Api:
    """`answer` returns None where the real server says nothing either."""

    def __init__(self, jetstream: "JetStream") -> None:
        streams, consumers, messages = StreamApi(jetstream), ConsumerApi(jetstream), MessageApi(jetstream)
        self._jetstream = jetstream
        self._verbs: dict[str, tuple[str, Callable[[str, Json], Json]]] = {
            "INFO": ("account_info", streams.account),
            "STREAM.CREATE": ("stream_create", streams.create),
            "STREAM.UPDATE": ("stream_update", streams.update),
            "STREAM.INFO": ("stream_info", streams.info),
            "STREAM.LIST": ("stream_list", streams.listed),
            "STREAM.NAMES": ("stream_names", streams.names),
            "STREAM.DELETE": ("stream_delete", streams.delete),
            "STREAM.PURGE": ("stream_purge", streams.purge),
            "STREAM.MSG.GET": ("stream_msg_get", messages.get),
            "STREAM.MSG.DELETE": ("stream_msg_delete", messages.delete),
            "CONSUMER.CREATE": ("consumer_create", consumers.create),
            "CONSUMER.DURABLE.CREATE": ("consumer_create", consumers.create_durable),
            "CONSUMER.INFO": ("consumer_info", consumers.info),
            "CONSUMER.LIST": ("consumer_list", consumers.listed),
            "CONSUMER.NAMES": ("consumer_names", consumers.names),
            "CONSUMER.DELETE": ("consumer_delete", consumers.delete),
            "CONSUMER.PAUSE": ("consumer_pause", consumers.pause),
        }

    def answer(self, request: str, payload: bytes) -> bytes | None:
        """`request` is the subject without its prefix."""
        verb, about = self._split(request)
        if verb not in self._verbs:
            return None
        kind, handle = self._verbs[verb]
        head = {"type": f"io.nats.jetstream.api.v1.{kind}_response"}
        if not self._jetstream.available(about.partition(".")[0]):
            if self._jetstream.silent:
                return None
            return orjson.dumps(head | {"error": errors.unavailable().as_json()})
        try:
            try:
                question = orjson.loads(payload) if payload else {}
            except ValueError as error:
                raise errors.ApiError(400, 10025, f"invalid JSON: {error}") from None
            return orjson.dumps(head | handle(about, question))
        except errors.ApiError as error:
            return orjson.dumps(head | {"error": error.as_json()} | _EMPTY_ON_ERROR.get(kind, {}))

    def _split(self, request: str) -> tuple[str, str]:
        tokens = request.split(".")
        for length in (3, 2, 1):
            verb = ".".join(tokens[:length])
            if verb in self._verbs:
                return verb, ".".join(tokens[length:])
        return "", ""
