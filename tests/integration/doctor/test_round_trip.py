"""The round trip of `doctor --send`, with a sidecar that takes its time."""

import asyncio

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from nats.aio.client import Client

from email_consumer.doctor import round_trip
from email_consumer.doctor.finding import Finding, Severity
from email_consumer.doctor.round_trip import RoundTrip
from email_consumer.jetstream.connection import NatsEndpoint
from tests.servers.nats import NatsServer


async def _findings(server: NatsServer, *, slow: range, patience: float = 20) -> list[Finding]:
    """Of a sidecar that gives no answer to these of its requests."""
    requests = iter(range(1_000))

    async def answer(_request: web.Request) -> web.Response:
        if next(requests) in slow:
            await asyncio.sleep(60)
        mail = {"status": "Sent", "message_id": "ses-1", "results": [{"kind": "Bounce"}], "reason": "hard bounce"}
        return web.json_response(mail)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as sidecar:
        endpoint = NatsEndpoint([server.url])
        url = str(sidecar.make_url("")).rstrip("/")
        async with RoundTrip(endpoint, subject="messages.email", url=url, key="k", patience=patience) as trip:
            return await trip.run()


@pytest.fixture(autouse=True)
async def _made(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    await client.jetstream().add_stream(name="messages", subjects=["messages.*"])
    monkeypatch.setattr(round_trip, "_TIMEOUT", aiohttp.ClientTimeout(total=0.3))


async def test_a_request_that_takes_long_does_not_end_the_wait(server: NatsServer) -> None:
    findings = await _findings(server, slow=range(1, 3))
    assert [finding.severity for finding in findings] == [Severity.OK] * 6


async def test_a_sidecar_that_never_answers_is_named(server: NatsServer) -> None:
    [finding] = await _findings(server, slow=range(1_000))
    assert (finding.check, finding.severity) == ("loop.sidecar", Severity.ERROR)
    assert "TimeoutError" in finding.text
