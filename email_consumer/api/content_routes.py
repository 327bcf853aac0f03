"""What a mail says, where its content is kept: its fields, and its HTML for a sandboxed frame."""

from typing import Any

from aiohttp import web

from email_consumer.api import statements
from email_consumer.store.contents import content_fields
from email_consumer.store.database import Database
from email_consumer.web.grant import Scope
from email_consumer.web.routing import ApiError, ApiModel, answer, operation

_HTML = "text/html"
# Without scripts, forms, navigation and remote files: a look at a mail must not tell its sender anything.
_PREVIEW_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)


class KeptAttachment(ApiModel):
    filename: str
    content_type: str
    size: int
    """Bytes, as base64."""


class MailContent(ApiModel):
    subject: str
    from_email: str
    reply_to: list[str]
    cc: list[str]
    bcc: list[str]
    headers: dict[str, str]
    text: str | None
    html: bool
    """Whether there is HTML; `/v1/messages/{uuid}/preview` has it."""
    attachments: list[KeptAttachment]


class ContentRoutes:
    def __init__(self, database: Database, from_email: str) -> None:
        """`from_email`: the sender of mail that names none."""
        self._database = database
        self._from_email = from_email

    def routes(self) -> list[web.RouteDef]:
        one = "/v1/messages/{uuid:[^/]+}"
        return [web.get(f"{one}/content", self.show), web.get(f"{one}/preview", self.preview)]

    @operation(
        "What a mail says, if it is kept: that of mail from the API, and of mail that was scheduled or held",
        answer=MailContent,
        scope=Scope.READ,
    )
    async def show(self, request: web.Request) -> web.Response:
        fields = await self._fields(request)
        return answer(
            MailContent(
                subject=fields["subject"],
                from_email=fields.get("from_email") or self._from_email,
                reply_to=fields.get("reply_to") or [],
                cc=fields.get("cc") or [],
                bcc=fields.get("bcc") or [],
                headers=fields.get("headers") or {},
                text=fields.get("text"),
                html=bool(fields["body"]),
                attachments=[_attachment(given) for given in fields.get("attachments") or ()],
            )
        )

    @operation("A mail's HTML, without scripts and remote files", answer_type=_HTML, scope=Scope.READ)
    async def preview(self, request: web.Request) -> web.Response:
        fields = await self._fields(request)
        headers = {"Content-Security-Policy": _PREVIEW_POLICY}
        return web.Response(text=fields["body"], content_type=_HTML, charset="utf-8", headers=headers)

    async def _fields(self, request: web.Request) -> dict[str, Any]:
        uuid = request.match_info["uuid"]
        found = await self._database.fetch(statements.CONTENT_OF_MAIL, (uuid,))
        if found and found[0]["subject"] is not None:
            return content_fields(*found[0])
        text = "The content of this mail is not kept." if found else "No mail with this uuid."
        raise ApiError(404, "not_found", text)


def _attachment(given: dict[str, Any]) -> KeptAttachment:
    kind = given.get("content_type") or "application/octet-stream"
    return KeptAttachment(filename=given["filename"], content_type=kind, size=len(given["content"]))
