"""How long commands wait for the running sidecar."""

import asyncio

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from click import ClickException

from email_consumer.cli import sidecar_request
from email_consumer.cli.sidecar_request import ask_sidecar
from email_consumer.settings import load_settings


async def test_what_takes_long_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sidecar_request, "_PATIENCE", aiohttp.ClientTimeout(total=0.2))

    async def cancel(_request: web.Request) -> web.Response:
        await asyncio.sleep(0.6)
        return web.json_response({"final": True})

    app = web.Application()
    app.router.add_delete("/v1/topics/t", cancel)
    async with TestServer(app) as server:
        settings = load_settings({"SERVER_PORT": str(server.port)})
        with pytest.raises(ClickException, match="gave no answer"):
            await asyncio.to_thread(ask_sidecar, settings, "DELETE", "/v1/topics/t")
        answer = await asyncio.to_thread(ask_sidecar, settings, "DELETE", "/v1/topics/t", takes_long=True)
    assert answer == {"final": True}
