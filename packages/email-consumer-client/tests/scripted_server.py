"""An HTTP server that gives the answers it was given, and keeps what it was asked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self

ACCEPTED = {"ids": ["u-1"], "refused": [], "merged": 0, "scheduled": False, "warnings": [], "total": 1}


@dataclass
class Answer:
    status: int
    document: object
    """JSON, or bytes as they are; None cuts the connection."""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def message(self) -> dict[str, Any]:
        """The only one of `POST /v1/messages`."""
        [message] = json.loads(self.body)["messages"]
        return dict(message)


class ScriptedServer:
    """`with ScriptedServer(answer, …) as server:`; the last answer is repeated."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers) or [Answer(200, ACCEPTED)]
        self.asked: list[Asked] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline()
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.asked.append(Asked(self.command, self.path, headers, body))
                self._give(outer._next())

            def _give(self, answer: Answer) -> None:
                if answer.document is None:
                    self.close_connection = True
                    return
                data = answer.document if isinstance(answer.document, bytes) else json.dumps(answer.document).encode()
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(data)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Not in the output of tests."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))

    def _next(self) -> Answer:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
