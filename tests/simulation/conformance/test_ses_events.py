"""The program reads the same out of the model's events as out of the sandbox's, for the same requests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aioboto3
import pytest
from aiohttp import web

from email_consumer.feedback.event_reader import read
from email_consumer.feedback.events import Event
from email_consumer.message.model import EmailMessage
from email_consumer.ses.client import SesClient
from email_consumer.sns.envelope import Envelope, parse
from ses_sandbox.testing import SandboxProcess
from tests.factories import mail
from tests.integration.ses.sandbox import client
from tests.simulation.conformance.ses_sides import on_model, sends
from tests.simulation.ses.service import Ses
from tests.simulation.sns.plan import Fate
from tests.simulation.sns.topic import Sns
from tests.waiting import PATIENCE

SIMULATOR = "simulator.amazonses.com"
MAILS = {
    "delivered": (mail("u-1", email="you@example.org", cc=["c@example.org"], tags={"kind": "bill"}), Fate.DELIVERED),
    "a uuid that is no tag": (mail("no tag: ü", email=f"success@{SIMULATOR}"), Fate.DELIVERED),
    "bounced": (mail("u-2", email=f"bounce@{SIMULATOR}"), Fate.BOUNCED),
    "bounced partly": (
        mail("u-2", email=f"bounce@{SIMULATOR}", cc=["c@example.org", "d@example.org"]),
        Fate.BOUNCED_PARTLY,
    ),
    "complained": (mail("u-3", email=f"complaint@{SIMULATOR}", headers={"X-Kind": "bill"}), Fate.COMPLAINED),
}


def seen(body: bytes) -> dict[str, Any]:
    """What the program makes of a message of SNS, but for ids and times."""
    envelope = parse(body, "Notification")
    event = read(envelope.message, envelope.sent_at)
    assert isinstance(event, Event)
    assert abs(event.happened_at - envelope.sent_at) < PATIENCE
    assert event.message_id.startswith("0100")
    names = ("kind", "tag", "instance", "recipients", "machine", "proves_acceptance")
    return {name: getattr(event, name) for name in names}


def of_model(message: EmailMessage, fate: Fate) -> list[dict[str, Any]]:
    topics: list[Sns] = []

    async def work(opened: SesClient) -> list[str]:
        results = await sends(opened, message)
        await asyncio.sleep(100)
        return results

    def prepare(ses: Ses) -> None:
        topics.append(Sns(ses.world, ses))
        topics[0].script(message.tag, fate)

    on_model(work, prepare)
    return [seen(published.body) for published in topics[0].published]


async def of_sandbox(message: EmailMessage, directory: Path) -> list[dict[str, Any]]:
    posts: asyncio.Queue[bytes] = asyncio.Queue()
    async with _receiver(posts) as url, SandboxProcess(directory, "--events-to", url) as sandbox:
        request = await _next(posts)
        async with aioboto3.Session(region_name="eu-west-1").client("sns", endpoint_url=sandbox.url) as sns:
            await sns.confirm_subscription(TopicArn=request.topic_arn, Token=request.token)
        async with client(sandbox.url) as opened:
            await sends(opened, message)
        await sandbox.get("/sandbox/events/wait", pending=0)
        bodies = [posts.get_nowait() for _ in range(posts.qsize())]
        return [seen(body) for body in bodies if parse(body).type == "Notification"]


@asynccontextmanager
async def _receiver(posts: asyncio.Queue[bytes]) -> AsyncIterator[str]:
    async def receive(request: web.Request) -> web.Response:
        posts.put_nowait(await request.read())
        return web.Response()

    application = web.Application()
    application.router.add_post("/sns", receive)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/sns"
    finally:
        await runner.cleanup()


async def _next(posts: asyncio.Queue[bytes]) -> Envelope:
    return parse(await asyncio.wait_for(posts.get(), PATIENCE))


@pytest.mark.usefixtures("aws_environment")
@pytest.mark.parametrize("name", MAILS)
async def test_the_same_events(tmp_path: Path, name: str) -> None:
    message, fate = MAILS[name]
    order = [kind.partition(":")[0] for kind in fate.value]
    there = sorted(await of_sandbox(message, tmp_path), key=lambda each: order.index(each["kind"]))
    assert of_model(message, fate) == there
    assert [each["kind"] for each in there] == order
