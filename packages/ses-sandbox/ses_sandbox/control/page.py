"""The mails as pages for people: a list, one mail, and its HTML in a sandboxed frame."""

from datetime import UTC, datetime
from html import escape
from typing import Any

from aiohttp import web

from ses_sandbox.control.mail_view import mail_body, mail_document
from ses_sandbox.control.style import STYLE
from ses_sandbox.mailbox import Mailbox

_NEWEST = 100
_REFRESH = 3
"""Seconds after which the list reloads."""
_PAGE_POLICY = "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# `sandbox` denies the mail's HTML scripts, forms and an origin. Images are loaded, as in most mail clients, so that open
# tracking can be tried.
_BODY_POLICY = "sandbox; default-src 'none'; img-src http: https: data:; style-src 'unsafe-inline'"
_ONE = "SELECT id, message_id, received_at, body FROM mails JOIN requests ON mail_id = id WHERE id = ?"


class Page:
    """`/` and `/mail/{id}`."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._database = mailbox.database

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self.newest),
            web.get("/sandbox.css", self.style),
            web.get(r"/mail/{id:[0-9]{1,18}}", self.mail),
            web.get(r"/mail/{id:[0-9]{1,18}}/body", self.body),
            web.get(r"/mail/{id:[0-9]{1,18}}/attachments/{number:[0-9]{1,18}}", self.attachment),
        ]

    async def newest(self, _request: web.Request) -> web.Response:
        """The newest mails."""
        rows = await self._database.read(
            "SELECT id, received_at, sender, destination, subject, uuid FROM mails ORDER BY id DESC LIMIT ?", (_NEWEST,)
        )
        lines = "".join(
            f"<tr><td><time>{_time(at)}</time></td><td>{escape(', '.join(to.split()))}</td>"
            f'<td><a href="/mail/{mail_id}">{escape(subject) or "(no subject)"}</a></td>'
            f"<td>{escape(sender)}</td><td><code>{escape(uuid or '')}</code></td></tr>"
            for mail_id, at, sender, to, subject, uuid in rows
        )
        table = (
            "<table><thead><tr><th>Accepted (UTC)<th>To<th>Subject<th>From<th>UUID</tr></thead>"
            f"<tbody>{lines}</tbody></table>"
        )
        empty = "<p class=empty>No mail yet. Mail sent through this sandbox appears here automatically.</p>"
        count = f"<p>{self._mailbox.accepted} accepted; nothing left this machine.</p>"
        return _page("Mail", count + (table if rows else empty), refresh=True)

    async def mail(self, request: web.Request) -> web.Response:
        """One mail: its fields as text, its HTML in a frame."""
        mail = mail_document(*await self._row(request))
        fields = {
            "From": mail["from"],
            "To": ", ".join(mail["to"]),
            "Cc": ", ".join(mail["cc"]),
            "Bcc": ", ".join(mail["bcc"]),
            "Reply-To": ", ".join(mail["reply_to"]),
            "Accepted": f"{_time(mail['received_at'])} UTC",
            "Message id": mail["message_id"],
            "Configuration set": mail["configuration_set"] or "",
            **mail["headers"],
            **{f"Tag {name}": value for name, value in mail["tags"].items()},
        }
        rows = "".join(f"<tr><th>{escape(n)}</th><td>{escape(v)}</td></tr>" for n, v in fields.items() if v)
        files = "".join(
            f'<li><a href="/mail/{mail["id"]}/attachments/{number}">{escape(file["filename"])}</a> {file["size"]} bytes</li>'
            for number, file in enumerate(mail["attachments"])
        )
        content = f'<p><a href="/">All mail</a></p><table class=fields>{rows}</table><ul class=files>{files}</ul>'
        if mail["html"] is not None:
            content += f'<iframe sandbox src="/mail/{mail["id"]}/body" title="The mail\'s HTML"></iframe>'
        if mail["text"] is not None:
            content += f"<pre>{escape(mail['text'])}</pre>"
        return _page(mail["subject"] or "(no subject)", content)

    async def body(self, request: web.Request) -> web.Response:
        """The HTML of a mail as it was sent, its embedded images linked to their attachments."""
        mail = mail_document(*await self._row(request))
        html = mail["html"] or ""
        for number, file in enumerate(mail["attachments"]):
            if file["content_id"]:
                html = html.replace(f"cid:{file['content_id']}", f"/mail/{mail['id']}/attachments/{number}")
        headers = {"Content-Security-Policy": _BODY_POLICY, "X-Content-Type-Options": "nosniff"}
        return web.Response(text=html, content_type="text/html", headers=headers)

    async def attachment(self, request: web.Request) -> web.Response:
        """An attachment; images may be displayed, everything else is downloaded."""
        mail = mail_document(*await self._row(request))
        files = mail_body(mail["content"]).attachments
        number = int(request.match_info["number"])
        if number >= len(files):
            raise web.HTTPNotFound
        picture = files[number].content_type in ("image/png", "image/jpeg", "image/gif", "image/webp")
        headers = {
            "Content-Type": files[number].content_type if picture else "application/octet-stream",
            "Content-Disposition": "inline" if picture else "attachment",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "X-Content-Type-Options": "nosniff",
        }
        return web.Response(body=files[number].content, headers=headers)

    async def style(self, _request: web.Request) -> web.Response:
        """The one style sheet."""
        return web.Response(text=STYLE, content_type="text/css")

    async def _row(self, request: web.Request) -> tuple[Any, ...]:
        rows = await self._database.read(_ONE, (int(request.match_info["id"]),))
        if not rows:
            raise web.HTTPNotFound
        return rows[0]


def _page(title: str, content: str, *, refresh: bool = False) -> web.Response:
    again = f'<meta http-equiv=refresh content="{_REFRESH}">' if refresh else ""
    text = (
        f"<!doctype html><html lang=en><head><meta charset=utf-8>{again}"
        '<meta name=viewport content="width=device-width, initial-scale=1"><meta name=color-scheme content="light dark">'
        f'<title>{escape(title)} · SES sandbox</title><link rel=stylesheet href="/sandbox.css"></head>'
        f"<body><header>SES sandbox</header><main><h1>{escape(title)}</h1>{content}</main></body></html>"
    )
    headers = {
        "Content-Security-Policy": _PAGE_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return web.Response(text=text, content_type="text/html", headers=headers)


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")
