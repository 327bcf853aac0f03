"""The Python examples of the documentation work as they stand there."""

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.acceptance.clients.installation import Installation

_ROOT = Path(__file__).parents[3]
_README = _ROOT / "packages" / "email-consumer-client" / "README.md"
_PUBLISHING = _ROOT / "docs" / "publishing.md"


def _examples(page: Path) -> list[str]:
    blocks: list[str] = re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return blocks


def _with(page: Path, words: str) -> str:
    """The only example with these words."""
    [example] = [each for each in _examples(page) if words in each]
    return example


async def _run(example: str, installation: Installation) -> list[str]:
    """The lines it prints."""
    example = example.replace("http://localhost:3000", installation.url)
    example = example.replace("nats://127.0.0.1:4222", installation.nats_url)
    example = example.replace("your API key", installation.api_key)
    environment = {"PATH": os.environ["PATH"], "API_KEY": installation.api_key}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", example, env=environment, stdout=PIPE, stderr=PIPE
    )
    out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return out.decode().splitlines()


@pytest.mark.parametrize(
    ("page", "count"), [(_README, 5), (_PUBLISHING, 2)], ids=lambda value: getattr(value, "parent", value)
)
def test_all_examples_are_tried_here(page: Path, count: int) -> None:
    assert len(_examples(page)) == count


async def test_publishing_over_http(installation: Installation) -> None:
    status, counts, bounced = await _run(_with(_README, "client.mail("), installation)
    assert status in {"Created", "Processed", "Sent"}
    assert "'Failed': 0" in counts
    assert bounced == "[]"
    assert (await installation.received("you@example.com"))["subject"] == "Hello"


async def test_publishing_over_nats(installation: Installation) -> None:
    [line] = await _run(_with(_README, "NatsPublisher"), installation)
    assert line.startswith("order-4711 ")
    assert (await installation.received("you@example.com"))["subject"] == "Hello"


async def test_the_page_about_publishing(installation: Installation) -> None:
    await _run(_with(_PUBLISHING, "NatsPublisher"), installation)
    assert (await installation.received("you@example.com"))["subject"] == "Hello"
    [ids] = await _run(_with(_PUBLISHING, "scheduled_at"), installation)
    [first, _] = re.findall(r"'([0-9a-f-]{36})'", ids)
    mail = await installation.mail_until(first, lambda _: True)
    assert mail.status == "Created"
    assert mail.scheduled_at is not None


def test_receiving_a_webhook() -> None:
    found: dict[str, object] = {}
    exec(_with(_README, "def receive"), found)  # noqa: S102 - our own README
    receive = found["receive"]
    assert callable(receive)
    assert receive({}, b"{}") == 400


@pytest.mark.parametrize("name", ["MAILERS", "EMAIL_CONSUMER"])
def test_the_settings_of_django(name: str) -> None:
    found: dict[str, object] = {}
    exec(_with(_README, f"{name} = "), found)  # noqa: S102 - our own README
    assert "email_consumer_client.django.EmailBackend" in str(found)
