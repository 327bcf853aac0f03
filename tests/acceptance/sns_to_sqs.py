"""SNS's way into an SQS queue, which neither stand-in knows of: what one posts is put into the other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aioboto3
from aiohttp import web

from tests.acceptance.conftest import World
from tests.servers.sqs import REGION, SqsServer, TestQueue

_TOPIC = f"arn:aws:sns:{REGION}:000000000000:ses-events"


@dataclass(frozen=True)
class Events:
    """What SES tells."""

    queue: TestQueue
    flowing: asyncio.Event = field(default_factory=asyncio.Event)
    """While this is cleared, SNS keeps what it has."""


@asynccontextmanager
async def events_through_sqs(world: World, server: SqsServer) -> AsyncIterator[Events]:
    """SES tells of each accepted mail through a queue, and daemons of this world read it."""
    events = Events(await server.create_queue("events"))
    events.flowing.set()
    world.variables |= {
        "AWS_ENDPOINT_URL_SNS": world.sandbox.url,
        "AWS_ENDPOINT_URL_SQS": server.url,
        "SNS_EVENTS_QUEUE_URL": events.queue.url,
        "SNS_TOPIC_ARNS": _TOPIC,
        "SANDBOX_CERTIFICATE": str(world.directory / "sandbox" / "sns-certificate.pem"),
    }

    async def forward(request: web.Request) -> web.Response:
        text = await request.text()
        await events.flowing.wait()
        await events.queue.send([text])
        return web.Response()

    application = web.Application(client_max_size=2**20)
    application.router.add_post("/", forward)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        await _subscribe(world, f"http://127.0.0.1:{runner.addresses[0][1]}/")
        yield events
    finally:
        events.flowing.set()
        await runner.cleanup()


async def _subscribe(world: World, endpoint: str) -> None:
    await world.sandbox.put("/sandbox/events", {"types": ["Send"], "retry_delay": 0.2, "max_retries": 1000})
    session = aioboto3.Session(
        region_name=REGION,
        aws_access_key_id=world.variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=world.variables["AWS_SECRET_ACCESS_KEY"],
    )
    async with session.client("sns", endpoint_url=world.sandbox.url) as sns:
        await sns.create_topic(Name="ses-events")
        await sns.subscribe(TopicArn=_TOPIC, Protocol="http", Endpoint=endpoint)
