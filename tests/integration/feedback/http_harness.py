"""The routes of feedback and suppressions, served as the sidecar serves them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import aiohttp

from email_consumer.core.link_secrets import LinkSecrets
from email_consumer.feedback.event_routes import EventRoutes
from email_consumer.feedback.in_doubt_routes import InDoubtRoutes
from email_consumer.suppression.routes import SuppressionRoutes
from email_consumer.suppression.unsubscribe import Unsubscribe
from email_consumer.suppression.unsubscribe_page import Sender, UnsubscribePage
from email_consumer.suppression.unsubscribe_routes import UnsubscribeRoutes
from email_consumer.web.app import create_app
from email_consumer.web.server import Server
from tests.integration.feedback.harness import FeedbackHarness

API_KEY = "key"
UNSUBSCRIBE = Unsubscribe("https://mail.example.com", LinkSecrets("secret"))


@dataclass(frozen=True, slots=True)
class HttpHarness:
    url: str
    session: aiohttp.ClientSession

    async def post(self, body: bytes, path: str = "/v1/events/results", **headers: str) -> tuple[int, Any]:
        """As a stranger; status and JSON."""
        async with self.session.post(self.url + path, data=BytesIO(body), headers=headers) as answer:
            return answer.status, await answer.json()

    async def ask(self, method: str, path: str, document: object = None, key: str = API_KEY) -> tuple[int, Any]:
        """As somebody with a key; status and JSON."""
        headers = {"X-API-KEY": key}
        async with self.session.request(method, self.url + path, json=document, headers=headers) as answer:
            return answer.status, await answer.json()


@asynccontextmanager
async def serve(harness: FeedbackHarness) -> AsyncIterator[HttpHarness]:
    routes = [
        *EventRoutes(harness.receiver).routes(),
        *SuppressionRoutes(harness.suppressions).routes(),
        *InDoubtRoutes(harness.database).routes(),
        *UnsubscribeRoutes(UNSUBSCRIBE, harness.suppressions, UnsubscribePage(Sender("Example & Co"))).routes(),
    ]
    app = create_app(routes, [API_KEY], version="0")
    async with Server(app, 0, host="127.0.0.1") as server, aiohttp.ClientSession() as session:
        yield HttpHarness(f"http://127.0.0.1:{server.port}", session)
