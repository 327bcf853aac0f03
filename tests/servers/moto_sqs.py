"""The process behind `SqsServer`: moto's server, its SQS made safe for calls at the same time, its calls counted.

`python -m tests.servers.moto_sqs PORT` prints its port (a free one for 0) once it listens.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from threading import RLock
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.sqs.models import Queue, SQSBackend
from werkzeug.serving import make_server

_lock = RLock()
_calls: Counter[str] = Counter()


def _one_at_a_time(method: Callable[..., Any]) -> Callable[..., Any]:
    def locked(*arguments: Any, **options: Any) -> Any:
        with _lock:
            return method(*arguments, **options)

    return locked


# moto rebuilds the list of messages at each delete: a message that is added meanwhile would be lost.
for name in ("add_message", "delete_message"):
    setattr(Queue, name, _one_at_a_time(getattr(Queue, name)))


def _long_poll(receive: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    # Two receives at the same time would hand out the same message: each looks under the lock, and waits outside it.
    def polling(self: SQSBackend, name: str, count: int, wait: int, *others: Any) -> list[Any]:
        for _ in range(max(1, int(wait * 10))):
            with _lock:
                if found := receive(self, name, count, 0, *others):
                    return found
            if wait:
                queue = self.get_queue(name)
                with queue._messages_lock:
                    queue._messages_lock.wait(0.1)
        return []

    return polling


SQSBackend.receive_message = _long_poll(SQSBackend.receive_message)  # type: ignore[method-assign]


def _counting(application: DomainDispatcherApplication) -> Callable[..., Iterable[bytes]]:
    def counted(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/_calls":
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(_calls).encode()]
        _calls[environ.get("HTTP_X_AMZ_TARGET", "").removeprefix("AmazonSQS.")] += 1
        answer: Iterable[bytes] = application(environ, start_response)
        return answer

    return counted


if __name__ == "__main__":
    server = make_server(
        "127.0.0.1", int(sys.argv[1]), _counting(DomainDispatcherApplication(create_backend_app)), True
    )
    print(server.port, flush=True)  # noqa: T201 - what SqsServer reads
    server.serve_forever()
