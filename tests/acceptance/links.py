"""The links in a mail that reached the sandbox, followed as its reader's programs do."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from ses_sandbox.testing import Control
from tests.acceptance.publisher import as_map
from tests.servers.daemon import Daemon
from tests.waiting import PATIENCE

WORKS, DOES_NOT = 200, 404


def linked(uuid: str) -> bytes:
    """A mail that gets both kinds of links."""
    return as_map(uuid, email=f"{uuid}@example.com", list_unsubscribe=True, track_opens=True)


@dataclass(frozen=True)
class Links:
    """Paths on our server."""

    unsubscribe: str
    pixel: str


async def links_of(sandbox: Control, uuid: str) -> Links:
    """Once the mail was sent."""
    assert (await sandbox.get("/messages/wait", uuid=uuid, count=1, timeout=PATIENCE))["reached"]
    [mail] = (await sandbox.get("/messages", uuid=uuid))["messages"]
    [pixel] = re.findall(r'<img src="([^"]+)"', mail["html"])
    paths = [urlsplit(url) for url in (mail["headers"]["List-Unsubscribe"].strip("<>"), pixel)]
    return Links(*(f"{each.path}?{each.query}".rstrip("?") for each in paths))


async def looked_at(url: str, links: Links) -> tuple[int, str]:
    """Status and text of the page that the unsubscribe link leads to; the pixel is loaded and looks as ever."""
    async with aiohttp.ClientSession() as stranger:
        async with stranger.get(url + links.pixel) as pixel:
            assert (pixel.status, pixel.content_type) == (200, "image/gif")
        async with stranger.get(url + links.unsubscribe) as page:
            return page.status, await page.text()


async def unsubscribed(url: str, links: Links) -> int:
    """The status of a mail program's one click."""
    form = {"List-Unsubscribe": "One-Click"}
    async with aiohttp.ClientSession() as stranger, stranger.post(url + links.unsubscribe, data=form) as page:
        return page.status


async def answer_of(command: Daemon) -> str:
    """What a command prints."""
    await command.launch()
    assert await command.ended() == 0, command.log
    return str(command.log[-1]["event"])
