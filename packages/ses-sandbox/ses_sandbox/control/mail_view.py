"""One stored mail as tests and people read it."""

from base64 import b64decode
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

import orjson

from ses_sandbox.ses.raw_message import parse_raw
from ses_sandbox.ses.send_request import parse_send_request


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file in a mail."""

    filename: str
    content_type: str
    content_id: str | None
    content: bytes


@dataclass(frozen=True, slots=True)
class Body:
    """The readable parts of a mail."""

    html: str | None
    text: str | None
    attachments: list[Attachment]


def mail_document(mail_id: int, message_id: str, received_at: float, body: bytes) -> dict[str, Any]:
    """A mail as `GET /messages` shows it, from the columns it is stored in."""
    request = parse_send_request(body)
    content = orjson.loads(body)["Content"]
    parts = mail_body(content)
    return {
        "id": mail_id,
        "message_id": message_id,
        "received_at": received_at,
        "uuid": request.uuid,
        "from": request.sender,
        "to": request.to,
        "cc": request.cc,
        "bcc": request.bcc,
        "reply_to": request.reply_to,
        "subject": request.subject,
        "html": parts.html,
        "text": parts.text,
        "headers": request.headers,
        "tags": request.tags,
        "configuration_set": request.configuration_set,
        "tenant": request.tenant,
        "tracking": request.tracking,
        "attachments": [
            {
                "filename": attachment.filename,
                "content_type": attachment.content_type,
                "content_id": attachment.content_id,
                "size": len(attachment.content),
            }
            for attachment in parts.attachments
        ],
        "content": content,
    }


def mail_body(content: dict[str, Any]) -> Body:
    """The parts of a `Content` structure, Simple or Raw."""
    if raw := content.get("Raw"):
        return _raw_body(parse_raw(raw["Data"]))
    simple = content["Simple"]
    return Body(
        html=(simple["Body"].get("Html") or {}).get("Data"),
        text=(simple["Body"].get("Text") or {}).get("Data"),
        attachments=[
            Attachment(
                filename=attachment["FileName"],
                content_type=attachment.get("ContentType") or "application/octet-stream",
                content_id=attachment.get("ContentId"),
                content=b64decode(attachment["RawContent"]),
            )
            for attachment in simple.get("Attachments") or ()
        ],
    )


def _raw_body(message: EmailMessage) -> Body:
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    return Body(
        html=html.get_content() if html else None,
        text=text.get_content() if text else None,
        attachments=[
            Attachment(
                filename=part.get_filename() or "unnamed",
                content_type=part.get_content_type(),
                content_id=(part.get("Content-ID") or "").strip("<>") or None,
                content=bytes(part.get_payload(decode=True) or b""),
            )
            for part in message.iter_attachments()
        ],
    )


def mail_source(content: dict[str, Any]) -> str:
    """A `Content` structure as it was sent: a raw message itself, anything else as JSON."""
    if raw := content.get("Raw"):
        return b64decode(raw["Data"]).decode("utf-8", "replace")
    return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()
