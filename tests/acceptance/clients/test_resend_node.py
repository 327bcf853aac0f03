"""Resend's official SDK for Node: pointed at the daemon by its variable, and as a receiver of webhooks."""

import asyncio
import base64
import json
import os
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.api.conftest import KEY, Api
from tests.factories import event
from tests.integration.webhooks.harness import receiver, webhooks

_CLIENT = Path(__file__).parent / "resend"


pytestmark = pytest.mark.skipif(
    not (_CLIENT / "node_modules").exists() and not os.environ.get("CI"),
    reason="Resend's SDK is needed (npm ci in tests/acceptance/clients/resend)",
)


async def _node(*arguments: str, given: object = None, **environment: str) -> Any:
    """The JSON that a script prints."""
    process = await asyncio.create_subprocess_exec(
        *("node", *arguments),
        cwd=_CLIENT,
        env={"PATH": os.environ["PATH"]} | environment,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
    )
    out, err = await process.communicate(json.dumps(given).encode())
    assert process.returncode == 0, err.decode()
    return json.loads(out)


async def test_its_calls_are_answered_as_it_expects(api: Api) -> None:
    answers = await _node("client.mjs", KEY, RESEND_BASE_URL=f"http://127.0.0.1:{api.port}")
    data = {name: answer["data"] for name, answer in answers.items()}
    errors = {name: answer["error"]["name"] for name, answer in answers.items() if answer["error"]}
    assert errors == {
        "reused": "invalid_idempotent_request",
        "invalid": "validation_error",
        "unknown": "not_found",
        "wrong key": "invalid_api_key",
    }
    assert data["get"]["id"] == data["send"]["id"]
    assert data["get"]["cc"] == ["bob@example.com"]
    assert data["get"]["reply_to"] == ["help@example.com"]
    assert data["once"] == data["again"]
    assert data["schedule"]["id"] == data["move"]["id"] == data["cancel"]["id"]
    assert len(data["batch"]["data"]) == 2
    await api.harness.wait_sent(4)
    await api.harness.emptied()
    sent = await api.harness.sent()
    assert sent == dict.fromkeys(
        [data["send"]["id"], data["once"]["id"], *(each["id"] for each in data["batch"]["data"])], 1
    )
    _, content = await api.ask("GET", f"/v1/messages/{data['send']['id']}/content")
    assert [(each["filename"], each["content_type"]) for each in content["attachments"]] == [("a.csv", "text/csv")]


async def test_its_webhooks_are_verified(tmp_path: Path) -> None:
    async with receiver() as hook, webhooks(tmp_path / "email.db", sender="Us <us@example.com>") as site:
        endpoint = await site.add(hook.url, form="resend")
        await site.send(1, 1)
        await site.feedback.take(event("Delivery", uuid="u-1"))
        await site.feedback.take(event("Bounce", uuid="u-1"))
        got = await hook.until(3)
    requests: list[dict[str, Any]] = [
        {"payload": each.body, "headers": each.headers, "secret": endpoint.secret} for each in got
    ]
    first, stranger = requests[0], f"whsec_{base64.b64encode(bytes(32)).decode()}"
    forged = [
        first | {"payload": first["payload"] + " "},
        first | {"secret": stranger},
        first | {"headers": got[1].headers},
    ]
    answers = await _node("verify.mjs", given=requests + forged)
    assert [each["event"] for each in answers[:3]] == [each.event for each in got]
    assert {each["event"]["type"] for each in answers[:3]} == {"email.sent", "email.delivered", "email.bounced"}
    assert [each["error"] for each in answers[3:]] == ["No matching signature found"] * 3
