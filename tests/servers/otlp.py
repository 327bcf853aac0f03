"""A receiver of OTLP over HTTP for tests: a process of its own that parses what OpenTelemetry's protocol defines."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Self

import aiohttp
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_spans: list[dict[str, Any]] = []


@dataclass(frozen=True)
class ReceivedSpan:
    """One span; ids in hexadecimal, times in nanoseconds, kind and status by the protocol's names."""

    name: str
    trace: str
    id: str
    parent: str
    kind: str
    status: str
    message: str
    start: int
    end: int
    attributes: dict[str, Any]
    resource: dict[str, Any]


class OtlpReceiver:
    """`async with OtlpReceiver() as receiver:` takes traces at `receiver.url` until the block ends."""

    url: str

    async def __aenter__(self) -> Self:
        self._process: Process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.servers.otlp", stdin=DEVNULL, stdout=PIPE, cwd=Path(__file__).parents[2]
        )
        assert self._process.stdout
        self.url = (await self._process.stdout.readline()).decode().strip()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._process.kill()
        await self._process.wait()

    async def spans(self) -> list[ReceivedSpan]:
        """All that it has received, in the order of their starts."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/spans") as response:
            return sorted((ReceivedSpan(**each) for each in await response.json()), key=lambda span: span.start)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            attributes = _plain(resource.resource.attributes)
            _spans.extend(_described(span, attributes) for scope in resource.scope_spans for span in scope.spans)
        self._answer(b"")

    def do_GET(self) -> None:
        self._answer(json.dumps(_spans).encode())

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Not needed."""


def _described(span: Span, resource: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": span.name,
        "trace": span.trace_id.hex(),
        "id": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "kind": Span.SpanKind.Name(span.kind),
        "status": span.status.StatusCode.Name(span.status.code),
        "message": span.status.message,
        "start": span.start_time_unix_nano,
        "end": span.end_time_unix_nano,
        "attributes": _plain(span.attributes),
        "resource": resource,
    }


def _plain(attributes: Any) -> dict[str, Any]:
    found: dict[str, KeyValue] = {each.key: each for each in attributes}
    return {key: getattr(each.value, each.value.WhichOneof("value") or "string_value") for key, each in found.items()}


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", 0), _Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201 - the parent reads it
    server.serve_forever()
