"""A mail whose 200 went out is on the disk, whatever happens to the sandbox."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, HTTPClientError

from sandbox_clients import client
from sandbox_mail import simple_mail
from ses_sandbox import SandboxConfig, serve
from ses_sandbox.data_directory import DirectoryInUseError
from ses_sandbox.testing import SandboxProcess


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[SandboxProcess]:
    async with SandboxProcess(tmp_path) as process:
        yield process


@pytest.fixture
async def ses(sandbox: SandboxProcess) -> AsyncIterator[Any]:
    async with client("sesv2", sandbox.url) as sesv2:
        yield sesv2


async def test_a_kill_under_load_forgets_no_accepted_mail(sandbox: SandboxProcess, ses: Any) -> None:
    accepted: dict[str, str] = {}

    async def send(sender: int) -> None:
        number = 0
        while True:
            uuid = f"{sender}-{number}"
            try:
                accepted[uuid] = (await ses.send_email(**simple_mail(uuid)))["MessageId"]
            except (HTTPClientError, BotoCoreError):
                return  # killed
            number += 1

    async with asyncio.TaskGroup() as group:
        for sender in range(10):
            group.create_task(send(sender))
        await sandbox.get("/messages/wait", count=200)
        await sandbox.kill()
    await sandbox.start()

    stored = await _stored_mails(sandbox)
    assert len(accepted) >= 190
    assert accepted.items() <= stored.items()
    assert len(stored) <= len(accepted) + 10  # only what was in flight may be stored without an answer seen


async def _stored_mails(sandbox: SandboxProcess) -> dict[str, str]:
    stored: dict[str, str] = {}
    last = 0
    while page := (await sandbox.get("/messages", after=last, limit=1000))["messages"]:
        stored |= {mail["uuid"]: mail["message_id"] for mail in page}
        last = page[-1]["id"]
    return stored


async def test_the_quota_outlives_a_kill(sandbox: SandboxProcess, ses: Any) -> None:
    await ses.send_email(**simple_mail(to=["a@example.com", "b@example.com"]))
    await sandbox.kill()
    await sandbox.start()

    assert (await ses.get_account())["SendQuota"]["SentLast24Hours"] == 2


async def test_sigterm_ends_it_orderly(sandbox: SandboxProcess, ses: Any) -> None:
    await ses.send_email(**simple_mail())

    assert await sandbox.stop() == 0


async def test_a_data_directory_has_one_sandbox_at_a_time(sandbox: SandboxProcess, tmp_path: Path) -> None:
    assert (await sandbox.get("/health")) == {"status": "ok"}
    with pytest.raises(DirectoryInUseError):
        await serve(SandboxConfig(data=tmp_path))
