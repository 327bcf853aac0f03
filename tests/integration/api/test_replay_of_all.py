"""All dead letters are replayed in answers of a few seconds each, and each of them once, also if they fail again."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from email_consumer.api import dead_letter_routes
from email_consumer.core.dead_letters import Replayed
from email_consumer.sources.jetstream.dead_letters import JetStreamDeadLetters
from tests.factories import payload
from tests.integration.api.harness import ApiHarness, running
from tests.servers.nats import NatsServer
from tests.servers.raw_publisher import RawPublisher

LETTERS = 4


@pytest.fixture
async def harness(tmp_path: Path, server: NatsServer) -> AsyncIterator[ApiHarness]:
    async with running(tmp_path, server.url, schedule=False) as harness:
        yield harness


async def add_letter(server: NatsServer, uuid: str) -> None:
    async with RawPublisher(server.url) as raw:
        await raw.publish(b"messages-dead.rejected", payload(uuid=uuid))


@pytest.fixture
def all_fail_again(server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """As mail that SES rejects: the worker makes it a dead letter at once."""
    replay = JetStreamDeadLetters.replay

    async def fails_again(letters: JetStreamDeadLetters, sequence: int, *, new_uuid: bool = False) -> Replayed:
        replayed = await replay(letters, sequence, new_uuid=new_uuid)
        await add_letter(server, replayed.uuid)
        await asyncio.sleep(0.1)
        return replayed

    monkeypatch.setattr(JetStreamDeadLetters, "replay", fails_again)


@pytest.mark.usefixtures("all_fail_again")
@pytest.mark.parametrize("seconds", [5.0, 0.15], ids=["in one answer", "in several answers"])
async def test_what_fails_again_is_not_replayed_again(
    harness: ApiHarness, server: NatsServer, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr(dead_letter_routes, "_SECONDS", seconds)
    for number in range(LETTERS):
        await add_letter(server, f"u-{number}")
    done, answer = 0, dict[str, Any](next="")
    while answer["next"] is not None and done <= 3 * LETTERS:
        status, answer = await harness.ask("POST", f"/v1/dead-letters/replay?kind=rejected&after={answer['next']}")
        assert status == 200
        done += answer["done"]
    assert done == LETTERS
    _, again = await harness.ask("GET", "/v1/dead-letters")
    assert [letter["sequence"] for letter in again["dead_letters"]] == [*range(LETTERS + 1, 2 * LETTERS + 1)]
