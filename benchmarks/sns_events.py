"""How many SES events a core verifies and applies: real signatures, real SQLite (synchronous=FULL), one process.

    python -m benchmarks.sns_events [--mails 4000] [--in-flight 200] [--profile]

Each mail causes a Send and a Delivery event. Rows: `handle`, the stage alone; `HTTP`, posted over keep-alive connections
by a process on another core. CPU is this process's, all its threads (SQLite's among them); events per second and core
are one second over that.
"""

import argparse
import asyncio
import base64
import cProfile
import json
import pstats
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time
from typing import Any
from uuid import uuid4

import aiohttp
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from benchmarks.cores import BESIDE, UNDER_TEST, on
from email_consumer.core.ledger import Origin
from email_consumer.core.outcome import Sent
from email_consumer.feedback.event_routes import EventRoutes
from email_consumer.feedback.events import Event
from email_consumer.feedback.inbox import Inbox, Reception
from email_consumer.feedback.receiver import EventReceiver
from email_consumer.ledgers.rule import Policy
from email_consumer.ledgers.sqlite import SqliteLedger
from email_consumer.message.model import EmailMessage
from email_consumer.pipeline.gate import Gate
from email_consumer.sns.certificate_store import SqliteCertificateStore
from email_consumer.sns.certificates import Certificates, DownloadError
from email_consumer.sns.subscription import Subscriptions
from email_consumer.sns.verifier import Verifier
from email_consumer.store.database import open_database
from email_consumer.suppression.rows import SuppressionRows
from email_consumer.web.app import create_app
from email_consumer.web.server import Server

TOPIC = "arn:aws:sns:eu-west-1:000000000000:ses-events"
ORIGIN = Origin("nats", "messages:1", 1, 0.0)
ROUNDS = 3


class Signer:
    """Signs envelopes as SNS does, version 1 (its default) with 2048 bits."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
            .not_valid_after(datetime(2040, 1, 1, tzinfo=UTC))
            .sign(self._key, hashes.SHA256())
        )

    def envelope(self, message: str) -> bytes:
        fields = {
            "Message": message,
            "MessageId": str(uuid4()),
            "Subject": "Amazon SES Email Event Notification",
            "Timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "TopicArn": TOPIC,
            "Type": "Notification",
        }
        text = "".join(f"{name}\n{value}\n" for name, value in fields.items())
        signature = self._key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA1())  # noqa: S303 - SNS's default
        url = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-aa.pem"
        own = {"SignatureVersion": "1", "Signature": base64.b64encode(signature).decode(), "SigningCertURL": url}
        return json.dumps(fields | own).encode()


def record(kind: str, uuid: str, recipient: str) -> str:
    """An event of the size that SES's have, headers and tags included."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    headers = {
        "From": "Shop <shop@example.com>",
        "To": recipient,
        "Subject": "Your order",
        "MIME-Version": "1.0",
        "Content-Type": 'multipart/alternative; boundary="----=_Part_7307378_1629847660.1516840721503"',
        "X-Request-ID": uuid,
    }
    tags = {"configuration-set": "main", "source-ip": "192.0.2.0", "from-domain": "example.com", "caller-identity": "u"}
    mail = {
        "timestamp": now,
        "source": "Shop <shop@example.com>",
        "sourceArn": "arn:aws:ses:eu-west-1:123456789012:identity/example.com",
        "sendingAccountId": "123456789012",
        "messageId": f"ses-{uuid}",
        "destination": [recipient],
        "headersTruncated": False,
        "headers": [{"name": name, "value": value} for name, value in headers.items()],
        "commonHeaders": {"from": ["Shop <shop@example.com>"], "to": [recipient], "subject": "Your order"},
        "tags": {"uuid": [uuid], "instance": ["benchmark"]} | {f"ses:{name}": [value] for name, value in tags.items()},
    }
    own = {"timestamp": now, "recipients": [recipient], "smtpResponse": "250 ok", "processingTimeMillis": 546}
    return json.dumps({"eventType": kind, "mail": mail, kind.lower(): own if kind == "Delivery" else {}})


async def _nothing(_: Event) -> None:
    """There is one ledger here, and it has no workers elsewhere."""


class Bench:
    """A fresh database with mails in it, and their events as SNS would post them."""

    def __init__(self, stack: AsyncExitStack, mails: int) -> None:
        self._stack = stack
        self._mails = mails
        self.signer = Signer()

    async def open(self, path: Path) -> tuple[EventReceiver, Inbox]:
        database = await self._stack.enter_async_context(open_database(path))
        self._ledger = SqliteLedger(database, lambda *_: None, Policy(3600, "resend", 1000, max_attempts=3))
        rows = SuppressionRows(soft_bounce_limit=5, mirror=False)
        inbox = Inbox(database, rows, Gate(), instance="benchmark", proven=_nothing)
        await self._stack.enter_async_context(self._ledger.running())
        await self._stack.enter_async_context(inbox.running())
        verifier = Verifier(
            [TOPIC], Certificates(_no_download, SqliteCertificateStore(database)), self.signer.certificate
        )
        return EventReceiver(verifier, Subscriptions(), inbox), inbox

    async def bodies(self) -> list[bytes]:
        """Mails are claimed and finished; the events of half a thousand each come in waves."""

        async def send(uuid: str, recipient: str) -> None:
            mail = EmailMessage(uuid=uuid, email=recipient, subject="s", body="b", topic_id="t")
            await self._ledger.claim(mail, ORIGIN)
            await self._ledger.finish(mail, Sent(f"ses-{uuid}"), ORIGIN)

        mails = [(str(uuid4()), f"r{uuid4().hex}@example.com") for _ in range(self._mails)]
        await asyncio.gather(*(send(*mail) for mail in mails))
        return [
            self.signer.envelope(record(kind, *mail))
            for start in range(0, len(mails), 500)
            for kind in ("Send", "Delivery")
            for mail in mails[start : start + 500]
        ]


async def _no_download(_url: str) -> bytes:
    raise DownloadError("nothing is fetched here")


async def drive(bodies: list[bytes], in_flight: int, post: Callable[[bytes], Awaitable[Any]]) -> None:
    waiting = iter(bodies)

    async def poster() -> None:
        for body in waiting:
            await post(body)

    await asyncio.gather(*(poster() for _ in range(in_flight)))


async def measure(mails: int, in_flight: int, profile: cProfile.Profile | None) -> None:
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bench = Bench(stack, mails)
        receiver, inbox = await bench.open(directory / "email.db")
        for name in ("handle", "HTTP"):
            for _ in range(ROUNDS):
                bodies = await bench.bodies()
                if profile and name == "handle":
                    profile.enable()
                cpu, seconds = await (
                    stage(receiver, bodies, in_flight)
                    if name == "handle"
                    else over_http(receiver, bodies, in_flight, directory)
                )
                if profile:
                    profile.disable()
                each = cpu / len(bodies)
                print(
                    f"{name:<7} {len(bodies):>6} events  {each * 1e6:6.0f} µs of CPU each"
                    f"  {1 / each:6.0f} events/s and core  {len(bodies) / seconds:6.0f} events/s"
                )
        applied = inbox.counts.receptions[Reception.APPLIED]
        expected = 2 * ROUNDS * 2 * mails
        print(f"applied {applied} of {expected}")
        if applied != expected:
            raise SystemExit(1)


async def stage(receiver: EventReceiver, bodies: list[bytes], in_flight: int) -> tuple[float, float]:
    cpu, start = process_time(), perf_counter()
    await drive(bodies, in_flight, receiver.handle)
    return process_time() - cpu, perf_counter() - start


async def over_http(
    receiver: EventReceiver, bodies: list[bytes], in_flight: int, directory: Path
) -> tuple[float, float]:
    file = directory / "bodies.json"
    file.write_text(json.dumps([body.decode() for body in bodies]))
    app = create_app(EventRoutes(receiver).routes(), [], version="0")
    async with Server(app, 0, host="127.0.0.1") as server:
        url = f"http://127.0.0.1:{server.port}/v1/events/results"
        command = [sys.executable, "-m", "benchmarks.sns_events", "--post", str(file), url, str(in_flight)]
        with on(BESIDE):
            poster = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert poster.stdin is not None
        assert poster.stdout is not None
        await poster.stdout.readline()  # it has read the file
        cpu, start = process_time(), perf_counter()
        poster.stdin.write(b"go\n")
        await poster.wait()
        return process_time() - cpu, perf_counter() - start


async def post_all(bodies: list[bytes], url: str, in_flight: int) -> None:
    """The other process."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight)) as session:

        async def post(body: bytes) -> None:
            async with session.post(url, data=body, headers={"Content-Type": "text/plain"}) as answer:
                answer.raise_for_status()

        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await drive(bodies, in_flight, post)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=4000)
    parser.add_argument("--in-flight", type=int, default=200)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--post", nargs=3, metavar=("FILE", "URL", "IN_FLIGHT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.post:
        file, url, in_flight = options.post
        bodies = [body.encode() for body in json.loads(Path(file).read_text())]
        uvloop.run(post_all(bodies, url, int(in_flight)))
        return
    profile = cProfile.Profile() if options.profile else None
    with on(UNDER_TEST):
        uvloop.run(measure(options.mails, options.in_flight, profile))
    if profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
