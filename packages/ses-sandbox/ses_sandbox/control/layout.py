"""The frame of the pages for people: head, places, policy."""

from datetime import UTC, datetime
from html import escape

from aiohttp import web

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)
_PLACES = {"/": "Mail", "/switches": "Switches"}


def page(title: str, content: str, *, place: str, head: str = "", status: int = 200) -> web.Response:
    """A page with trusted HTML as its `content` and in its `head`; `place` is the path that is marked as the present one."""
    links = "".join(
        f'<a href="{path}"{" aria-current=page" if path == place else ""}>{name}</a>' for path, name in _PLACES.items()
    )
    text = (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1"><meta name=color-scheme content="light dark">'
        f'<title>{escape(title)} · SES sandbox</title><link rel=stylesheet href="/sandbox.css">'
        '<script src="/sandbox.js" defer></script></head>'
        f"<body><header><div class=head><span class=name>SES sandbox</span> <b class=mode>NO REAL MAIL</b>{head}</div>"
        f"<nav aria-label=Places>{links}</nav></header><main><h1>{escape(title)}</h1>{content}</main></body></html>"
    )
    headers = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return web.Response(text=text, content_type="text/html", headers=headers, status=status)


def moment(at: float) -> str:
    """Unix seconds as a date and time in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
