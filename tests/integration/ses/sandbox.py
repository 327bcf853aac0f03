"""The sandbox's control side, and a client that sends to it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from email_consumer.ses.client import SesClient
from email_consumer.ses.session import AwsSession
from tests.waiting import until

SOON = 2.0
"""Seconds for an answer that does not come: enough for a busy machine to have sent the request."""


class Sandbox:
    def __init__(self, url: str) -> None:
        self.url = url

    async def reset(self) -> None:
        await self.ask("DELETE", "/sandbox/faults")
        await self.ask("DELETE", "/messages")
        await self.set_account(
            max_send_rate=10_000,
            max_24_hour_send=-1,
            sent_last_24_hours=0,
            sending_enabled=True,
            enforcement_status="HEALTHY",
        )
        await self.ask("PUT", "/sandbox/tenants", {"tenants": None})
        await self.set_credentials(access_key="sandbox", secret_key="sandbox-secret", expired=False)

    async def set_account(self, **change: object) -> None:
        await self.ask("PUT", "/sandbox/account", change)

    async def set_credentials(self, **change: object) -> None:
        await self.ask("PUT", "/sandbox/credentials", change)

    async def fault(self, *, times: int = 1, operation: str = "SendEmail", **action: object) -> int:
        """Script a fault; its id."""
        fault = await self.ask("POST", "/sandbox/faults", {"times": times, "operation": operation, "action": action})
        return int(fault["id"])

    async def struck(self, fault: int) -> None:
        answer = await self.ask("GET", f"/sandbox/faults/{fault}/wait")
        assert answer["reached"]

    async def until_accepted(self, uuid: str) -> None:
        """Whoever gave up an answer may be ahead of the sandbox."""

        async def arrived() -> bool:
            return await self.accepted(uuid) > 0

        await until(arrived)

    async def accepted(self, uuid: str) -> int:
        """How often a mail with this uuid was accepted."""
        answer = await self.ask("GET", f"/messages?uuid={uuid}&count_only=1")
        return int(answer["count"])

    async def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        async with aiohttp.request(method, self.url + path, json=body, raise_for_status=True) as response:
            answer: dict[str, Any] = await response.json()
            return answer


@contextmanager
def sandbox_process(data: Path) -> Iterator[str]:
    """A sandbox in a process of its own, as the URL it serves."""
    command = [sys.executable, "-m", "ses_sandbox", "--port", "0", "--data", str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
        process.terminate()


def client(
    endpoint: str | None,
    *,
    region: str = "eu-west-1",
    concurrency: int = 4,
    connect_timeout: float = 5.0,
    timeout: float = 30.0,
    **options: Any,
) -> SesClient:
    open_session = partial(
        AwsSession.open,
        region=region,
        endpoint=endpoint,
        connections=concurrency,
        connect_timeout=connect_timeout,
        read_timeout=timeout,
    )
    given: dict[str, Any] = {"from_email": "shop@example.com", "configuration_set": None, "instance": "test"}
    return SesClient(open_session, region=region, timeout=timeout, **given | options)
