"""Resend's official SDK for Node, pointed at the daemon by its variable."""

import asyncio
import json
import os
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.acceptance.api.conftest import KEY, Api

_CLIENT = Path(__file__).parent / "resend"


@pytest.mark.skipif(
    not (_CLIENT / "node_modules").exists() and not os.environ.get("CI"),
    reason="Resend's SDK is needed (npm ci in tests/acceptance/clients/resend)",
)
async def test_its_calls_are_answered_as_it_expects(api: Api) -> None:
    environment = {"PATH": os.environ["PATH"], "RESEND_BASE_URL": f"http://127.0.0.1:{api.port}"}
    process = await asyncio.create_subprocess_exec(
        "node", "client.mjs", KEY, cwd=_CLIENT, env=environment, stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    answers = json.loads(out)
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
