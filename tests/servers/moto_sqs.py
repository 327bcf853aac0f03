"""The process behind `SqsServer`: moto's server, its SQS made safe for simultaneous calls and quick with many messages.

`python -m tests.servers.moto_sqs PORT` prints its port (a free one for 0) once it listens. `/_calls/QUEUE` tells how
often each batch and each receive was asked for.
"""

import json
import select
import socket
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from threading import RLock
from typing import Any

import flask
import moto.sqs.models
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.sns.responses import SNSResponse
from moto.sqs.exceptions import ReceiptHandleIsInvalid
from moto.sqs.models import Queue, SQSBackend
from werkzeug.serving import WSGIRequestHandler, make_server

_POLL = 0.1

_lock = RLock()
_calls: defaultdict[str, Counter[str]] = defaultdict(Counter)


def _locked(method: Callable[..., Any]) -> Callable[..., Any]:
    def locked(self: SQSBackend, queue_name: str, *arguments: Any, **options: Any) -> Any:
        with _lock:
            _calls[queue_name][method.__name__] += 1
            return method(self, queue_name, *arguments, **options)

    return locked


def _long_poll(receive: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    def polling(self: SQSBackend, name: str, count: int, wait: int, *others: Any) -> list[Any]:
        """Look under the lock, so that no two calls get the same message; wait outside it."""
        _calls[name]["receive_message"] += 1
        end = time.monotonic() + int(wait)
        while True:
            with _lock:
                found = [] if (gone := _hung_up()) else receive(self, name, count, 0, *others)
            if found or gone or time.monotonic() >= end:
                if not gone:
                    _calls[name]["receive_message answered"] += 1
                return found
            queue = self.get_queue(name)
            with queue._messages_lock:
                queue._messages_lock.wait(_POLL)

    return polling


def _hung_up() -> bool:
    """Whether who asked is gone: a killed process must not be given messages, which nobody else would see for a while."""
    connection: socket.socket = flask.request.environ["werkzeug.socket"]
    try:
        readable, _, _ = select.select([connection], [], [], 0)
        return bool(readable) and not connection.recv(1, socket.MSG_PEEK)
    except ConnectionError:
        return True


def _without_counting(send: Callable[..., Any]) -> Callable[..., Any]:
    """Sending asks for a queue's attributes, and each time all messages are counted for that."""
    counted = Queue.attributes

    def sending(self: SQSBackend, queue_name: str, *arguments: Any, **options: Any) -> Any:
        with _lock:
            _calls[queue_name][send.__name__] += 1
            Queue.attributes = property(lambda _: {})  # type: ignore[assignment, method-assign]
            try:
                return send(self, queue_name, *arguments, **options)
            finally:
                Queue.attributes = counted  # type: ignore[method-assign]

    return sending


def _delete(self: Queue, receipt_handle: str) -> None:
    """As moto does it, but it stops at the message, which mostly is one of the first."""
    if receipt_handle in self.deleted_messages:
        return
    for place, message in enumerate(self._messages):
        if message.had_receipt_handle(receipt_handle):
            del self._messages[place]
            self.pending_messages.discard(message)
            self.deleted_messages.update(message.all_receipt_handles)  # type: ignore[arg-type]
            return
    raise ReceiptHandleIsInvalid


def _with_signature_version(get: Callable[[SNSResponse], Any]) -> Callable[[SNSResponse], Any]:
    """It keeps what a topic is set to, and doesn't tell."""

    def getting(self: SNSResponse) -> Any:
        answer = get(self)
        topic = self.backend.get_topic(self._get_param("TopicArn"))
        answer.result["Attributes"]["SignatureVersion"] = getattr(topic, "signature_version", "1")
        return answer

    return getting


def mend() -> None:
    """Change moto in this process: it loses a message that is added while another is deleted, and counts too much."""
    SNSResponse.get_topic_attributes = _with_signature_version(SNSResponse.get_topic_attributes)  # type: ignore[assignment, method-assign]
    Queue.delete_message = _delete  # type: ignore[method-assign]
    for name in ("change_message_visibility_batch", "delete_message_batch", "get_queue_attributes"):
        setattr(SQSBackend, name, _locked(getattr(SQSBackend, name)))
    for name in ("send_message", "send_message_batch"):
        setattr(SQSBackend, name, _without_counting(getattr(SQSBackend, name)))
    SQSBackend.receive_message = _long_poll(SQSBackend.receive_message)  # type: ignore[method-assign]
    SQSBackend.is_message_valid_based_on_retention_period = lambda *_: True  # type: ignore[method-assign]
    moto.sqs.models.unix_time_millis = lambda *_: time.time() * 1000  # type: ignore[attr-defined]


class _Handler(WSGIRequestHandler):
    """Connections are kept, and nobody reads a line for each request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    """Head and body are written apart: the body would wait 40 ms until the head is acknowledged."""

    def log_request(self, *_: object) -> None: ...


def _application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if environ["PATH_INFO"].startswith("/_calls/"):
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(_calls[environ["PATH_INFO"].removeprefix("/_calls/")]).encode()]
    # moto's dispatcher looks for its services among its files at each request.
    chosen = _sqs if environ.get("HTTP_X_AMZ_TARGET", "").startswith("AmazonSQS.") else _all_services
    answer: Iterable[bytes] = chosen(environ, start_response)
    return answer


if __name__ == "__main__":
    mend()
    _all_services = DomainDispatcherApplication(create_backend_app)
    _sqs = create_backend_app("sqs")
    server = make_server("127.0.0.1", int(sys.argv[1]), _application, threaded=True, request_handler=_Handler)
    print(server.port, flush=True)  # noqa: T201 - what SqsServer reads
    server.serve_forever()
