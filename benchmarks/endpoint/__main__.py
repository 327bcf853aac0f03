"""`python -m benchmarks.endpoint`: answers SendEmail and GetAccount; looks at nothing but where a request ends.

Prints its port once it listens. `GET /count` tells how many mails it accepted, `GET /arrivals` when (monotonic seconds)
and which requests it throttled, `GET /marked` when it accepted the mails that `Publisher.publish_marked` numbered.
"""

import argparse
import asyncio
import json
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic
from typing import cast
from uuid import uuid4

import uvloop

from benchmarks.mails import MARK
from ses_sandbox.quota import SendRate

_MARKED = re.compile(MARK.encode() + rb"(\d+)")
_THROTTLED = b'{"message":"Maximum sending rate exceeded."}'
_DENIED = b'{"message":"User is not authorized to perform: ses:GetAccount"}'


@dataclass
class Responder:
    """What came in."""

    latency: float
    limit: SendRate | None
    account_rate: float
    accepted: list[float] = field(default_factory=list)
    throttled: list[float] = field(default_factory=list)
    marked: dict[int, float] = field(default_factory=dict)

    def answer(self, request: bytes) -> bytes:
        head = request[:32]
        if head.startswith(b"POST"):
            return self._send_email(request)
        if head.startswith(b"GET /count "):
            return _response(200, b"%d" % len(self.accepted))
        if head.startswith(b"GET /arrivals "):
            return _response(200, json.dumps({"accepted": self.accepted, "throttled": self.throttled}).encode())
        if head.startswith(b"GET /marked "):
            return _response(200, json.dumps(self.marked).encode())
        if not self.account_rate:
            return _response(403, _DENIED, "AccessDeniedException")
        quota = {"MaxSendRate": self.account_rate, "Max24HourSend": -1, "SentLast24Hours": 0}
        account = {"SendQuota": quota, "SendingEnabled": True, "EnforcementStatus": "HEALTHY"}
        return _response(200, json.dumps(account | {"ProductionAccessEnabled": True}).encode())

    def _send_email(self, request: bytes) -> bytes:
        now = monotonic()
        if self.limit and not self.limit.take(1):
            self.throttled.append(now)
            return _response(429, _THROTTLED, "TooManyRequestsException")
        self.accepted.append(now)
        if found := _MARKED.search(request):
            self.marked.setdefault(int(found[1]), now)
        return _response(200, b'{"MessageId":"0100018f-%012d"}' % len(self.accepted))


class Connection(asyncio.Protocol):
    """One client; requests come one after the other."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        self._received = bytearray()
        self._end = 0  # where the request ends; 0 while that isn't known

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._end:
            head, found, _ = bytes(self._received).partition(b"\r\n\r\n")
            if not found:
                return
            self._end = len(head) + 4 + int((head.lower().partition(b"\r\ncontent-length:")[2].split() or [b"0"])[0])
        if len(self._received) < self._end:
            return
        request = bytes(self._received)
        self._received.clear()
        self._end = 0
        answer = self._responder.answer(request)
        if self._responder.latency and request.startswith(b"POST"):
            asyncio.get_running_loop().call_later(self._responder.latency, self._write, answer)
        else:
            self._transport.write(answer)

    def _write(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


def _response(status: int, body: bytes, error: str = "") -> bytes:
    head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    if error:
        # Without an id an answer is not SES's, and whether the mail was accepted would be unknown.
        head += f"x-amzn-ErrorType: {error}\r\nx-amzn-RequestId: {uuid4()}\r\n"
    return f"{head}\r\n".encode() + body


async def serve(protocol: Callable[[], Connection], tls: ssl.SSLContext | None) -> None:
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=tls, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=float, default=0, help="seconds until SendEmail is answered")
    parser.add_argument("--certificate", type=Path, help="PEM file; with it, TLS is spoken")
    parser.add_argument("--key", type=Path)
    parser.add_argument("--max-send-rate", type=float, default=0, help="recipients a second; 0: no limit is enforced")
    parser.add_argument("--account-rate", type=float, default=100_000, help="what GetAccount says; 0: it is forbidden")
    given = parser.parse_args()
    tls = None
    if given.certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(given.certificate, given.key)
    limit = SendRate(given.max_send_rate) if given.max_send_rate else None
    uvloop.run(serve(partial(Connection, Responder(given.latency, limit, given.account_rate)), tls))


if __name__ == "__main__":
    main()
