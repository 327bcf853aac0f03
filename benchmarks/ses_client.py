"""CPU of one SendEmail: this program's client over each of its transports, and aioboto3 as it comes, on one core.

    python benchmarks/ses_client.py [--sends 5000] [--in-flight 50]

The answering server runs in a process of its own on another core and costs nothing here. Prints the median of three
rounds each, in microseconds of this process's CPU per call, 1 KB of HTML, without TLS and with it, uvloop.
"""

import argparse
import asyncio
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from time import process_time
from typing import cast
from unittest import mock

import aioboto3
import uvloop

from email_consumer.core.outcome import Sent
from email_consumer.message.model import EmailMessage
from email_consumer.ses import session
from email_consumer.ses.aiohttp_transport import AiohttpTransport
from email_consumer.ses.client import SesClient
from email_consumer.ses.session import AwsSession
from tests.servers.certificates import TestAuthority

REGION = "eu-west-1"
ROUNDS = 3
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 18\r\n\r\n{"MessageId":"42"}'
MAIL = EmailMessage(uuid="0b6f4f5e-1f0e-4a2c-9a3b-6b1a3c1d2e3f", email="you@example.org", subject="Hi", body="x" * 1024)


class Answering(asyncio.Protocol):
    """Answers success for each whole request, and looks at nothing else."""

    def __init__(self) -> None:
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        if end and len(body) >= int(head.lower().partition(b"content-length:")[2].split()[0]):
            self.received = b""
            self.transport.write(ANSWER)


async def serve(certificate: str, key: str) -> None:
    tls = None
    if certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate, key)
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0, ssl=tls)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


async def cpu_per_call(send: Callable[[], Awaitable[object]], sends: int, in_flight: int) -> float:
    async def sender(count: int) -> None:
        for _ in range(count):
            await send()

    await asyncio.gather(*(sender(5) for _ in range(in_flight)))  # connections open, caches warm
    rounds = []
    for _ in range(ROUNDS):
        begin = process_time()
        await asyncio.gather(*(sender(sends // in_flight) for _ in range(in_flight)))
        rounds.append((process_time() - begin) / (sends // in_flight * in_flight) * 1e6)
    return statistics.median(rounds)


async def ours(endpoint: str, sends: int, in_flight: int) -> float:
    async with SesClient(
        partial(AwsSession.open, region=REGION, endpoint=endpoint, connections=in_flight),
        region=REGION,
        from_email="shop@example.com",
        configuration_set=None,
        instance="benchmark",
    ) as client:

        async def send() -> None:
            if await client.send(MAIL) != Sent("42"):
                raise SystemExit("the server did not answer as it should")

        return await cpu_per_call(send, sends, in_flight)


async def with_aioboto3(endpoint: str, sends: int, in_flight: int) -> float:
    async with aioboto3.Session().client("sesv2", region_name=REGION, endpoint_url=endpoint) as client:

        async def send() -> None:
            await client.send_email(
                FromEmailAddress="shop@example.com",
                Destination={"ToAddresses": [MAIL.email]},
                Content={"Simple": {"Subject": {"Data": MAIL.subject}, "Body": {"Html": {"Data": MAIL.body}}}},
                EmailTags=[{"Name": "uuid", "Value": MAIL.uuid}],
            )

        return await cpu_per_call(send, sends, in_flight)


async def over_aiohttp(endpoint: str, sends: int, in_flight: int) -> float:
    """As with a proxy, but without one."""
    with mock.patch.object(session, "DirectTransport", partial(AiohttpTransport, proxy=None)):
        return await ours(endpoint, sends, in_flight)


CONTESTANTS = {"SesClient": ours, "SesClient over aiohttp": over_aiohttp, "aioboto3, defaults": with_aioboto3}


def compare(options: argparse.Namespace, *certificate: str) -> None:
    """Against a server of its own, over TLS if a certificate and its key are given."""
    command = [sys.executable, __file__, "--serve", *certificate]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        endpoint = f"{'https' if certificate else 'http'}://127.0.0.1:{server.stdout.readline().strip()}"
        costs = {name: uvloop.run(run(endpoint, options.sends, options.in_flight)) for name, run in CONTESTANTS.items()}
        server.terminate()
    print(f"SendEmail alone, {'TLS' if certificate else 'no TLS':8}  CPU per call")
    for name, cost in costs.items():
        print(f"{name:26} {cost:8.0f} µs  ({cost / costs['SesClient']:.1f} times)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sends", type=int, default=5_000)
    parser.add_argument("--in-flight", type=int, default=50)
    parser.add_argument("--serve", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if options.serve is not None:
        os.sched_setaffinity(0, {cores[-1]})
        uvloop.run(serve(*options.serve or ("", "")))
    os.environ |= {"AWS_ACCESS_KEY_ID": "benchmark", "AWS_SECRET_ACCESS_KEY": "benchmark"}
    os.sched_setaffinity(0, {cores[0]})
    compare(options)
    with tempfile.TemporaryDirectory() as directory:
        authority = TestAuthority(Path(directory))
        os.environ["AWS_CA_BUNDLE"] = str(authority.ca)
        compare(options, *map(str, authority.issue("ses")))


if __name__ == "__main__":
    main()
