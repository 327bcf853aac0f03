"""The mails as pages for people: a list with a search, one mail, and its HTML in a sandboxed frame."""

from html import escape
from typing import Any
from urllib.parse import quote

from aiohttp import web

from ses_sandbox.control.layout import moment, page
from ses_sandbox.control.mail_view import mail_body, mail_document, mail_source
from ses_sandbox.control.style import SCRIPT, STYLE
from ses_sandbox.control.wire import number
from ses_sandbox.mailbox import Mailbox

_PAGE = 100
_LONGEST_SEARCH = 200
_FROM_THE_END = 10**18 - 1
# `sandbox` denies the mail's HTML scripts, forms and an origin. Images are loaded, as in most mail clients, so that open
# tracking can be tried.
_BODY_POLICY = "sandbox; default-src 'none'; img-src http: https: data:; style-src 'unsafe-inline'"
_ONE = "SELECT id, message_id, received_at, body FROM mails JOIN requests ON mail_id = id WHERE id = ?"
_LIST = """
SELECT id, received_at, sender, destination, subject, uuid FROM mails
WHERE id < ?1 AND (?2 = '' OR instr(lower(destination || ' ' || sender || ' ' || subject || ' ' || coalesce(uuid, '')), ?2))
ORDER BY id DESC LIMIT ?3
"""


class Page:
    """`/` and `/mail/{id}`."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._database = mailbox.database

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self.newest),
            web.get("/sandbox.css", self.style),
            web.get("/sandbox.js", self.script),
            web.get(r"/mail/{id:[0-9]{1,18}}", self.mail),
            web.get(r"/mail/{id:[0-9]{1,18}}/body", self.body),
            web.get(r"/mail/{id:[0-9]{1,18}}/attachments/{number:[0-9]{1,18}}", self.attachment),
        ]

    async def newest(self, request: web.Request) -> web.Response:
        """The newest mails, or those with a text (`q`) in an address, the subject or the UUID; older than `before`, an id."""
        text = request.query.get("q", "").strip()[:_LONGEST_SEARCH]
        before = number(request, "before", _FROM_THE_END)
        rows = await self._database.read(_LIST, (before, text.lower(), _PAGE + 1))
        lines = "".join(
            f"<tr><td><time>{moment(at)}</time></td><td>{escape(', '.join(to.split()))}</td>"
            f'<td><a href="/mail/{mail_id}">{escape(subject) or "(no subject)"}</a></td>'
            f"<td>{escape(sender)}</td><td><code>{escape(uuid or '')}</code></td></tr>"
            for mail_id, at, sender, to, subject, uuid in rows[:_PAGE]
        )
        table = (
            "<table class=stacked><thead><tr><th scope=col>Accepted (UTC)<th scope=col>To<th scope=col>Subject"
            f"<th scope=col>From<th scope=col>UUID</tr></thead><tbody>{lines}</tbody></table>"
        )
        nothing = (
            f"Nothing found with “{escape(text)}”."
            if text
            else "No mail yet. Mail sent through this sandbox appears here."
        )
        more = ""
        if len(rows) > _PAGE:
            more = f'<p><a href="/?q={quote(text)}&amp;before={rows[_PAGE - 1][0]}">Older mail</a></p>'
        live = "" if "before" in request.query else " data-live"
        content = (
            f"<div class=card{live}><p class=dim>{self._mailbox.accepted:,} accepted; nothing left this machine.</p>"
            f"{table if rows else f'<p class=empty>{nothing}</p>'}{more}</div>"
        )
        return page("Mail", content, place="/", head=_search(text))

    async def mail(self, request: web.Request) -> web.Response:
        """One mail: its fields, HTML, text, attachments and source."""
        row = await self._row(request)
        mail = mail_document(*row)
        fields = {
            "From": mail["from"],
            "To": ", ".join(mail["to"]),
            "Cc": ", ".join(mail["cc"]),
            "Bcc": ", ".join(mail["bcc"]),
            "Reply-To": ", ".join(mail["reply_to"]),
            "Accepted": f"{moment(mail['received_at'])} UTC",
            "Message id": mail["message_id"],
            "Configuration set": mail["configuration_set"] or "",
            "Tenant": mail["tenant"] or "",
            **{f"Tag {name}": value for name, value in mail["tags"].items()},
        }
        content = f'<p><a href="/">← All mail</a></p><div class=columns><div>{_card("Mail", _pairs(fields))}'
        if mail["headers"]:
            content += _card("Headers", _pairs(mail["headers"]))
        if mail["attachments"]:
            content += _card("Attachments", _files(mail))
        content += "</div><div>"
        if mail["html"] is not None:
            frame = f'<iframe sandbox src="/mail/{mail["id"]}/body" title="The mail\'s HTML"></iframe>'
            content += _card("HTML", frame)
        if mail["text"] is not None:
            content += _card("Text", f"<pre tabindex=0>{escape(mail['text'])}</pre>")
        source = (
            f"<details><summary>Show</summary><pre tabindex=0>{escape(mail_source(mail['content']))}</pre></details>"
        )
        content += f"{_card('Source', source)}</div></div>"
        return page(mail["subject"] or "(no subject)", content, place="", head=_search(""))

    async def body(self, request: web.Request) -> web.Response:
        """The HTML of a mail as it was sent, its embedded images linked to their attachments."""
        mail = mail_document(*await self._row(request))
        html = mail["html"] or ""
        for place, file in enumerate(mail["attachments"]):
            if file["content_id"]:
                html = html.replace(f"cid:{file['content_id']}", f"/mail/{mail['id']}/attachments/{place}")
        headers = {"Content-Security-Policy": _BODY_POLICY, "X-Content-Type-Options": "nosniff"}
        return web.Response(text=html, content_type="text/html", headers=headers)

    async def attachment(self, request: web.Request) -> web.Response:
        """An attachment; images may be displayed, everything else is downloaded."""
        mail = mail_document(*await self._row(request))
        files = mail_body(mail["content"]).attachments
        place = int(request.match_info["number"])
        if place >= len(files):
            raise web.HTTPNotFound
        picture = files[place].content_type in ("image/png", "image/jpeg", "image/gif", "image/webp")
        headers = {
            "Content-Type": files[place].content_type if picture else "application/octet-stream",
            "Content-Disposition": "inline" if picture else "attachment",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "X-Content-Type-Options": "nosniff",
        }
        return web.Response(body=files[place].content, headers=headers)

    async def style(self, _request: web.Request) -> web.Response:
        """The one style sheet."""
        return web.Response(text=STYLE, content_type="text/css")

    async def script(self, _request: web.Request) -> web.Response:
        """The one script; the pages work without it."""
        return web.Response(text=SCRIPT, content_type="text/javascript")

    async def _row(self, request: web.Request) -> tuple[Any, ...]:
        rows = await self._database.read(_ONE, (int(request.match_info["id"]),))
        if not rows:
            raise web.HTTPNotFound
        return rows[0]


def _search(text: str) -> str:
    return (
        '<form class=find role=search action="/"><input type=search name=q aria-label="Search mail" '
        f'placeholder="Address, subject or UUID" value="{escape(text)}"><button>Search</button></form>'
    )


def _card(title: str, content: str) -> str:
    return f"<section class=card><h2>{title}</h2>{content}</section>"


def _pairs(fields: dict[str, str]) -> str:
    rows = "".join(f"<tr><th scope=row>{escape(n)}</th><td>{escape(v)}</td></tr>" for n, v in fields.items() if v)
    return f"<table class=pairs>{rows}</table>"


def _files(mail: dict[str, Any]) -> str:
    lines = "".join(
        f'<li><a href="/mail/{mail["id"]}/attachments/{place}">{escape(file["filename"])}</a>'
        f" <span>{escape(file['content_type'])}, {file['size']:,} bytes</span></li>"
        for place, file in enumerate(mail["attachments"])
    )
    return f"<ul class=files>{lines}</ul>"
