"""The subscription to SES events of the endpoint that the sandbox was started with (`--events-to`)."""

import asyncio

import aiohttp

from ses_sandbox.sns.delivery_worker import DeliveryWorker
from ses_sandbox.sns.envelope import confirmation_request
from ses_sandbox.sns.topics import Subscription, Topics

EVENTS_TOPIC = "ses-events"
"""Name of the topic SES events go to."""

_RETRY = 0.5
"""Seconds between requests to confirm; the receiver may start after us."""


async def subscribe_at_startup(topics: Topics, region: str, endpoint: str | None) -> None:
    """Subscribe `endpoint`, if any, to the events topic; drop what an earlier start subscribed."""
    topic = await topics.create(region, EVENTS_TOPIC, {}, {})
    for earlier in _startup_subscriptions(topics):
        if (earlier.endpoint, earlier.topic_arn) != (endpoint, topic):
            await topics.unsubscribe(earlier)
    if endpoint is not None:
        await topics.subscribe(topic, endpoint, at_startup=True)


async def ask_to_confirm(topics: Topics, delivery_worker: DeliveryWorker, session: aiohttp.ClientSession) -> None:
    """Ask the endpoint to confirm until it does."""
    while pending := [each for each in _startup_subscriptions(topics) if not each.confirmed]:
        for subscription in pending:
            await delivery_worker.attempt(session, subscription, confirmation_request(subscription))
        await asyncio.sleep(_RETRY)


def _startup_subscriptions(topics: Topics) -> list[Subscription]:
    return [each for each in topics.subscriptions.values() if each.at_startup]
