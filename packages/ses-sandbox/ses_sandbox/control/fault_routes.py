"""Scripting faults over HTTP."""

import asyncio
from typing import Any

from aiohttp import web

from ses_sandbox.control.wire import number, patience, read_model, reply
from ses_sandbox.faults import Fault, Faults, FaultScript


class FaultRoutes:
    """`/sandbox/faults`."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/sandbox/faults", self.show),
            web.post("/sandbox/faults", self.add),
            web.delete("/sandbox/faults", self.clear),
            web.delete(r"/sandbox/faults/{id:[0-9]{1,18}}", self.remove),
            web.get(r"/sandbox/faults/{id:[0-9]{1,18}}/wait", self.wait),
        ]

    async def show(self, _request: web.Request) -> web.Response:
        """All faults, spent ones too, with their hit counters."""
        return reply({"faults": [_document(fault) for fault in self._faults.scripted.values()]})

    async def add(self, request: web.Request) -> web.Response:
        """Add a fault; the answer has its id."""
        return reply(_document(self._faults.add(await read_model(request, FaultScript))), status=201)

    async def clear(self, _request: web.Request) -> web.Response:
        """Remove all. What already hangs goes on hanging."""
        self._faults.scripted.clear()
        return reply({"faults": []})

    async def remove(self, request: web.Request) -> web.Response:
        """Remove one."""
        del self._faults.scripted[self._fault(request).id]
        return reply({})

    async def wait(self, request: web.Request) -> web.Response:
        """Answer once it was applied `hits` times, or after `timeout` seconds; `reached` says which."""
        fault = self._fault(request)
        try:
            async with asyncio.timeout(patience(request)):
                await self._faults.wait_for_hits(fault, number(request, "hits", 1))
        except TimeoutError:
            return reply(_document(fault) | {"reached": False})
        return reply(_document(fault) | {"reached": True})

    def _fault(self, request: web.Request) -> Fault:
        try:
            return self._faults.scripted[int(request.match_info["id"])]
        except KeyError:
            raise web.HTTPNotFound from None


def _document(fault: Fault) -> dict[str, Any]:
    return {"id": fault.id, "hits": fault.hits, "matched": fault.matched} | fault.script.model_dump()
