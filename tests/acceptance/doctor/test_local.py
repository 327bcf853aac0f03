"""The commands that look at a running program find a daemon in local mode automatically."""

import json
import os
from pathlib import Path
from typing import Any

from tests.servers.daemon import Daemon
from tests.servers.program import run_program


async def _run(directory: Path, *arguments: str) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory)}
    _, out, _ = await run_program(*arguments, directory=directory, environment=environment)
    return out


async def _answer(directory: Path, *arguments: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(await _run(directory, *arguments, "--json"))
    return answer


async def test_a_first_start_is_found_and_sound(tmp_path: Path) -> None:
    async with Daemon(tmp_path, {"SERVER_PORT": "0"}, "run", "--local") as daemon:
        await daemon.wait_for("events.subscribed")
        report = await _answer(tmp_path, "doctor", "--send")
        assert [each for each in report["findings"] if each["severity"] == "error"] == []
        assert "sns.delivery" in [each["check"] for each in report["findings"]], "nothing to complain of in our sandbox"
        assert report["findings"][-1]["check"] == "loop.released"
        bounced = next(each["text"] for each in report["findings"] if each["check"] == "loop.published")
        receipt = await _answer(tmp_path, "erase", bounced.partition(",")[0])
        assert receipt["mails"] == 1
        assert await _answer(tmp_path, "stats") == {"sent_1h": 1, "sent_24h": 1, "down": []}
        assert (await _answer(tmp_path, "cancel", "t"))["final"]
        assert "manual" in await _run(tmp_path, "suppressions", "add", "no@example.com")
        assert await daemon.stop() == 0
