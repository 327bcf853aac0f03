"""CPU of one SendEmail: this program's client beside aioboto3 as it comes, in one process on one core.

    python benchmarks/ses_client.py [--sends 5000] [--in-flight 50]

The answering server runs in a process of its own on another core and costs nothing here. Prints the median of three
rounds each, in microseconds of this process's CPU per call, 1 KB of HTML, no TLS, uvloop.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from time import process_time
from typing import cast

import aioboto3
import uvloop

from email_consumer.core.outcome import Sent
from email_consumer.message.model import EmailMessage
from email_consumer.ses.client import SesClient
from email_consumer.ses.session import AwsSession

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


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sends", type=int, default=5_000)
    parser.add_argument("--in-flight", type=int, default=50)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if options.serve:
        os.sched_setaffinity(0, {cores[-1]})
        uvloop.run(serve())
    os.environ |= {"AWS_ACCESS_KEY_ID": "benchmark", "AWS_SECRET_ACCESS_KEY": "benchmark"}
    with subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        endpoint = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        os.sched_setaffinity(0, {cores[0]})
        lean = uvloop.run(ours(endpoint, options.sends, options.in_flight))
        peer = uvloop.run(with_aioboto3(endpoint, options.sends, options.in_flight))
        server.terminate()
    print("SendEmail alone              CPU per call")
    print(f"SesClient                    {lean:9.0f} µs")
    print(f"aioboto3, defaults           {peer:9.0f} µs  ({peer / lean:.1f} times)")


if __name__ == "__main__":
    main()
