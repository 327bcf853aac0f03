"""Serves the page: static files of this package, held in memory."""

import gzip
import hashlib
import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from aiohttp import ETag, web

from email_consumer.web.routing import ApiError, operation
from email_consumer.web.security_headers import PAGE_HEADERS

_PAGE = "index.html"


@dataclass(frozen=True, slots=True)
class Asset:
    """A static file."""

    body: bytes
    compressed: bytes
    """By gzip, a third of it."""
    content_type: str
    etag: str


class PageRoutes:
    """Open to all: the page contains no data and loads what it shows with the browser's session."""

    def __init__(self) -> None:
        self._assets = dict(_read(files("email_consumer.dashboard").joinpath("static")))

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/", self.page), web.get("/assets/{path:.+}", self.asset)]

    @operation("The operators' page", answer_type="text/html", open_to_all=True)
    async def page(self, request: web.Request) -> web.Response:
        return _answer(request, self._assets[_PAGE])

    @operation("Static files of the page", answer_type="*/*", open_to_all=True)
    async def asset(self, request: web.Request) -> web.Response:
        asset = self._assets.get(request.match_info["path"])
        if asset is None:
            raise ApiError(404, "not_found", "Not Found.")
        return _answer(request, asset)


def _answer(request: web.Request, asset: Asset) -> web.Response:
    known = request.if_none_match or ()
    fresh = any(tag.value == asset.etag for tag in known)
    compressed = "gzip" in request.headers.get("Accept-Encoding", "")
    body = asset.compressed if compressed else asset.body
    response = web.Response(status=304) if fresh else web.Response(body=body, content_type=asset.content_type)
    if compressed and not fresh:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    if not fresh and asset.content_type.startswith("text/"):
        response.charset = "utf-8"
    response.headers.update(PAGE_HEADERS)
    response.etag = ETag(asset.etag)
    return response


def _read(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Asset]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _read(entry, f"{prefix}{entry.name}/")
        else:
            body = entry.read_bytes()
            # The system's MIME table may differ, and browsers require this type.
            content_type = "text/javascript" if entry.name.endswith(".js") else mimetypes.guess_type(entry.name)[0]
            etag = hashlib.sha256(body).hexdigest()[:32]
            yield f"{prefix}{entry.name}", Asset(body, gzip.compress(body, mtime=0), content_type or "text/plain", etag)
