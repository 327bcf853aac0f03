"""Whom the sandbox answers: programs and pages of its own, and no page that somebody else's site is made of.

It holds mail and takes orders without a key, since it stands for Amazon on a developer's machine. So a browser there must
not be made to talk to it by any other page.
"""

from collections.abc import Collection
from ipaddress import ip_address

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from email_consumer.web.origin import crosses_sites, names_this_machine, without_port


def known_visitors(host: str, names: Collection[str]) -> Middleware:
    """`host` is listened on; `names` are further ones that it is reached by."""
    any_address = not _is_loopback(host)
    known = {host, *names}

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        asked = request.headers.get("Host", "")
        if not names_this_machine(asked, any_address=any_address) and without_port(asked) not in known:
            raise web.HTTPMisdirectedRequest(text=f"{asked} is no name of this sandbox; see --name.\n")
        if crosses_sites(request):
            raise web.HTTPForbidden(text="Pages of other sites have no business here.\n")
        return await handler(request)

    return check


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
