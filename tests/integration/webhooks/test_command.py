"""`email-consumer webhooks` as a process, asking routes that are really served."""

import json
import os
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from email_consumer.web.app import create_app
from email_consumer.web.server import Server
from email_consumer.webhooks.routes import WebhookRoutes
from tests.integration.webhooks.harness import receiver, webhooks
from tests.servers.program import run_program
from tests.waiting import until

KEY = "key-1"


async def test_an_operator_adds_tests_watches_and_removes(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # no .env there
    async with receiver() as hook, webhooks(path) as harness:
        routes = WebhookRoutes(harness.endpoints, harness.sender, harness.deliverer.due).routes()
        async with Server(create_app(routes, [KEY], version="1"), 0) as server:
            environment = {"PATH": os.environ["PATH"], "SERVER_PORT": str(server.port), "API_KEY": KEY}

            async def run(*arguments: str) -> tuple[int, str, str]:
                return await run_program("webhooks", *arguments, directory=tmp_path, environment=environment)

            assert await run("list") == (0, "There are no webhook endpoints.\n", "")
            _, added, _ = await run("add", hook.url, "--type", "sent", "--lane", "bulk")
            line, secret = added.splitlines()
            endpoint = line.split()[0]
            assert line == f"{endpoint}  {hook.url}  types: sent; lane: bulk"
            assert await run("test", endpoint) == (0, "Delivered.\n", "")
            await harness.send(0, 2)
            await hook.until(3)
            await until(lambda: all(row[4] for row in harness.deliveries()))
            Webhook(secret.split()[1]).verify(hook.received[1].body, dict(hook.received[1].headers))
            _, shown, _ = await run("deliveries", endpoint)
            assert [each.split()[1:3] for each in shown.splitlines()] == [["sent", "delivered"]] * 2
            _, shown, _ = await run("deliveries", endpoint, "--json", "--limit", "1")
            assert json.loads(shown)["attempts"] == 1
            assert await run("deliveries", endpoint, "--state", "failed") == (0, "There are no such deliveries.\n", "")
            code, shown, _ = await run("resend", endpoint, "--delivered", "--since", "2100-01-01T09:00:00+09:00")
            assert (code, shown) == (0, "0 events are sent again.\n")
            assert await run("resend", endpoint, "--delivered", "--since", "2001-09-09T01:46:40Z") == (
                0,
                "2 events are sent again.\n",
                "",
            )
            await hook.until(5)
            assert (await run("rotate", endpoint))[1].startswith("Secret: whsec_")
            assert (await run("enable", endpoint))[0] == 0
            assert (await run("remove", endpoint))[1].startswith(f"Removed: {endpoint}")
            code, _, error = await run("test", endpoint)
            assert (code, error) == (1, "Error: There is no such webhook endpoint.\n")
            code, _, error = await run("add", "ftp://example.com/")
            assert (code, "url: must be" in error) == (1, True)
