"""The API's verbs about single messages, and direct gets."""

from base64 import b64encode
from typing import TYPE_CHECKING, Any

import orjson

from tests.simulation.jetstream import errors
from tests.simulation.jetstream.message import Headers, StoredMessage, header_block, rfc3339
from tests.simulation.jetstream.stream import Stream
from tests.simulation.jetstream.subjects import Filter

if TYPE_CHECKING:
    from tests.simulation.jetstream.jetstream import JetStream

Json = dict[str, Any]


class MessageApi:
    def __init__(self, jetstream: "JetStream") -> None:
        self._jetstream = jetstream

    def get(self, name: str, question: Json) -> Json:
        stream = self._jetstream.stream(name)
        message = find(stream, question)
        if message is None:
            raise errors.no_message()
        shown: Json = {"subject": message.subject, "seq": message.sequence}
        if message.headers:
            shown["hdrs"] = b64encode(header_block(message.headers)).decode()
        if message.data:
            shown["data"] = b64encode(message.data).decode()
        return {"message": shown | {"time": rfc3339(message.stored_at)}}

    def delete(self, name: str, question: Json) -> Json:
        stream, sequence = self._jetstream.stream(name), question.get("seq", 0)
        if stream.config["deny_delete"]:
            raise errors.ApiError(500, 10057, "message delete not permitted")
        if stream.remove(sequence) is None:
            text = "stream store EOF" if sequence > stream.storage.last else "no message found"
            raise errors.ApiError(500, 10057, text)
        return {"success": True}


def find(stream: Stream, question: Json) -> StoredMessage | None:
    """The message that a get asks for; None if there is none."""
    sequence, last, following = question.get("seq", 0), question.get("last_by_subj"), question.get("next_by_subj")
    if last:
        return stream.storage.newest(last)
    if following:
        return stream.storage.following(sequence, Filter([following]))
    if not sequence:
        raise errors.bad_request()
    return stream.storage.messages.get(sequence)


def direct_get(stream: Stream, subject: str, payload: bytes) -> tuple[bytes, Headers]:
    """The message itself with what it is in its headers; `subject` asks for the subject's last one."""
    question = {"last_by_subj": subject} if subject else orjson.loads(payload or b"{}")
    if not question:
        return b"", {"Status": "408", "Description": "Empty Request"}
    message = find(stream, question)
    if message is None:
        return b"", {"Status": "404", "Description": "Message Not Found"}
    return message.data, {
        **(message.headers or {}),
        "Nats-Stream": stream.name,
        "Nats-Subject": message.subject,
        "Nats-Sequence": str(message.sequence),
        "Nats-Time-Stamp": rfc3339(message.stored_at),
    }
