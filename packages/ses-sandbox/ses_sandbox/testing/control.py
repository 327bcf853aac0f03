"""Talks to the control routes of a sandbox."""

from typing import Any

import aiohttp


class Control:
    """The control routes of a running sandbox, as JSON in and out."""

    url: str
    _session: aiohttp.ClientSession

    async def get(self, path: str, **query: str | int) -> Any:
        """The JSON of a control route."""
        return await self._call("GET", path, params=query)

    async def put(self, path: str, document: object) -> Any:
        """Change something; returns the JSON answered."""
        return await self._call("PUT", path, json=document)

    async def post(self, path: str, document: object) -> Any:
        """Add something; returns the JSON answered."""
        return await self._call("POST", path, json=document)

    async def delete(self, path: str) -> Any:
        """Remove something; returns the JSON answered."""
        return await self._call("DELETE", path)

    async def _call(self, method: str, path: str, **arguments: Any) -> Any:
        async with self._session.request(method, self.url + path, raise_for_status=True, **arguments) as answer:
            return await answer.json()
