"""`email-consumer keys` and `audit` as processes, asking routes that are really served."""

import json
import os
from pathlib import Path

import pytest

from tests.integration.access.harness import ROOT_KEY, access
from tests.servers.program import run_program


async def test_an_operator_makes_and_removes_a_key_and_sees_who_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # no .env there
    async with access(tmp_path / "email.db") as harness:
        environment = {"PATH": os.environ["PATH"], "SERVER_PORT": str(harness.port), "API_KEY": ROOT_KEY}

        async def run(*arguments: str) -> tuple[int, str, str]:
            return await run_program(*arguments, directory=tmp_path, environment=environment)

        assert await run("keys", "list") == (0, "There are no keys but those in API_KEY.\n", "")
        limits = (
            "--topic",
            "news-*",
            "--sender",
            "example.com",
            "--tenant",
            "acme",
            "--expires-at",
            "2099-01-01T00:00:00Z",
        )
        code, added, error = await run("keys", "add", "shop", "--scope", "send", *limits)
        assert (code, error) == (0, "")
        line, key = added.splitlines()
        key_id, hint, *_ = line.split()
        assert line.endswith(
            "shop  send  topics: news-*; senders: @example.com; tenant: acme  expires 2099-01-01T00:00  not used yet"
        )
        assert key.startswith(f"Key: {hint[:-1]}")
        assert await run("keys", "list") == (0, f"{line}\n", "")
        assert json.loads((await run("keys", "list", "--json"))[1])["id"] == key_id
        code, _, error = await run("keys", "add", "shop", "--scope", "admin", "--lane", "bulk")
        assert (code, "can only send" in error) == (1, True)
        assert (await run("keys", "remove", key_id))[1] == f"Removed: {line}\n"
        _, listed, _ = await run("audit", "list", "--action", "/v1/keys")
        done = [each.split("  ")[1:] for each in listed.splitlines()]
        shop = f"{key_id} (shop)"
        assert done == [
            ["root (API_KEY)", "DELETE /v1/keys/{id}", shop, "from 127.0.0.1"],
            ["root (API_KEY)", "POST /v1/keys", shop, "from 127.0.0.1"],
        ]
        assert await run("audit", "list", "--key", "key_0") == (0, "There are no such actions.\n", "")
        _, exported, _ = await run("audit", "export", "--format", "ndjson")
        assert [json.loads(each)["action"] for each in exported.splitlines()][-1] == "key used"
