"""What an endpoint gets is signed as Standard Webhooks says, so that anybody can verify it."""

import asyncio
import shutil
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from email_consumer_client import verify_webhook
from tests.integration.webhooks.harness import receiver, webhooks
from tests.waiting import until

_VERIFY_IN_NODE = """
const crypto = require('crypto')
const [secret, id, timestamp, signatures, body] = process.argv.slice(1)
const key = Buffer.from(secret.replace('whsec_', ''), 'base64')
const expected = 'v1,' + crypto.createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
process.exit(signatures.split(' ').includes(expected) ? 0 : 1)
"""


async def test_an_event_arrives_and_its_signature_verifies(path: Path) -> None:
    async with receiver() as hook, webhooks(path) as site:
        endpoint = await site.add(hook.url)
        await site.send(0, 1, topic_id="t")
        [got] = await hook.until(1)
        await until(lambda: [row[2:] for row in site.deliveries()] == [(1, 0, 1, None)])
    assert got.event["uuid"] == "u-0"
    assert got.headers["webhook-id"] == got.event["id"]
    assert got.headers["Content-Type"] == "application/json"
    assert Webhook(endpoint.secret).verify(got.body, dict(got.headers)) == got.event
    event = verify_webhook(endpoint.secret, got.headers, got.body.encode())
    assert (event.type, event.uuid) == ("sent", "u-0")
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz").verify(got.body, dict(got.headers))


@pytest.mark.skipif(shutil.which("node") is None, reason="node is needed")
async def test_another_language_verifies_it_too(path: Path) -> None:
    async with receiver() as hook, webhooks(path) as site:
        endpoint = await site.add(hook.url)
        await site.send(0, 1, subject="Grüße")
        [got] = await hook.until(1)
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    values = (endpoint.secret, *(got.headers[name] for name in names), got.body)
    node = await asyncio.create_subprocess_exec("node", "-e", _VERIFY_IN_NODE, *values)
    assert await node.wait() == 0
