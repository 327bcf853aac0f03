"""One message as the JSON body of SES v2 SendEmail.

Source of the shapes: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

import base64
import time
from collections.abc import Sequence
from typing import Any

import orjson

from email_consumer.message.address import parse_address
from email_consumer.message.encoded_words import header_text
from email_consumer.message.fields import Attachment
from email_consumer.message.model import EmailMessage
from email_consumer.ses.delivery_limits import DeliveryLimits

PATH = "/v2/email/outbound-emails"

_FURTHER = frozenset(EmailMessage.model_fields) - {
    *("uuid", "email", "subject", "body", "text"),
    *("topic_id", "scheduled_at", "expires_at", "send_window", "timezone"),  # not in the request
    "tenant",  # appended
}
_HOLES = ("hole-uuid", "hole-email@example.com", "hole-subject", "hole-body")
_TEXT_HOLE = "hole-text"
"""What stands in a template where each mail has its own."""


class RequestWriter:
    """Knows what every mail of this program has in common; writes the rest out of the message.

    Args:
        from_email: the sender of mail that names none; an address or `Name <address>`.
        configuration_set: that of mail that names none.
        instance: tag on every mail, tells the events of several installations on one account apart.
        delivery_limits: seconds and names of the configuration sets for mail that expires.
    """

    def __init__(
        self,
        *,
        from_email: str,
        configuration_set: str | None,
        instance: str,
        delivery_limits: Sequence[tuple[int, str]] = (),
    ) -> None:
        self._from_email = str(parse_address(from_email))
        self._configuration_set = configuration_set
        self._instance_tag = _pair("instance", instance)
        self._limits = DeliveryLimits(delivery_limits)
        self._further = _FURTHER | {"expires_at"} if delivery_limits else _FURTHER
        self._plain = self._template(*_HOLES)
        self._plain_with_text = self._template(*_HOLES, text=_TEXT_HOLE)

    def body(self, message: EmailMessage) -> bytes:
        """The request's body. A `list_unsubscribe` of `True` must have become the text of its link before."""
        if not message.body or not self._further.isdisjoint(message.model_fields_set):
            return orjson.dumps(self.parameters(message))
        tag = orjson.dumps(message.tag)
        values = [orjson.dumps(str(parse_address(message.email))), orjson.dumps(message.subject)]
        values.append(orjson.dumps(message.body))
        if message.text:
            body = self._plain_with_text % (*values, orjson.dumps(message.text), tag, tag)
        else:
            body = self._plain % (*values, tag, tag)
        return b'%b,"TenantName":"%b"}' % (body[:-1], message.tenant.encode()) if message.tenant else body

    def _template(self, uuid: str, email: str, subject: str, body: str, text: str | None = None) -> bytes:
        """The body of a mail that has no more than these, for `%`; they come in the order of the arguments but the first."""
        message = EmailMessage(uuid=uuid, email=email, subject=subject, body=body, text=text)
        written = orjson.dumps(self.parameters(message)).replace(b"%", b"%%")
        for hole in (uuid, email, subject, body, *([text] if text else [])):
            written = written.replace(orjson.dumps(hole), b"%b")
        return written

    def parameters(self, message: EmailMessage) -> dict[str, Any]:
        """SendEmail's parameters as they lie in the JSON: like botocore's, but for attachments being base64 text."""
        sender, configuration_set = message.from_email, self._set_for(message)
        parameters: dict[str, Any] = {
            "FromEmailAddress": str(parse_address(sender)) if sender else self._from_email,
            "Destination": _destination(message),
            "Content": {"Simple": _content(message)},
            "EmailTags": [
                _pair("uuid", message.tag),
                self._instance_tag,
                *(_pair(name, value) for name, value in message.tags.items()),
            ],
        }
        if message.reply_to:
            parameters["ReplyToAddresses"] = [str(parse_address(text)) for text in message.reply_to]
        if configuration_set:
            parameters["ConfigurationSetName"] = configuration_set
        if message.tenant:
            parameters["TenantName"] = message.tenant
        if tracking := _tracking(message):
            parameters["ConfigurationOverrides"] = {"Tracking": tracking}
        return parameters

    def _set_for(self, message: EmailMessage) -> str | None:
        limited = self._limits.set_for(message, time.time()) if self._limits else None
        return message.configuration_set or limited or self._configuration_set


def _tracking(message: EmailMessage) -> dict[str, str]:
    wanted = {"OpenTrackingEnabled": message.track_opens, "ClickTrackingEnabled": message.track_clicks}
    return {name: "ENABLED" if on else "DISABLED" for name, on in wanted.items() if on is not None}


def _destination(message: EmailMessage) -> dict[str, list[str]]:
    addresses = [str(address) for address in message.all_recipients]
    first_bcc = 1 + len(message.cc)
    destination = {"ToAddresses": addresses[:1]}
    if message.cc:
        destination["CcAddresses"] = addresses[1:first_bcc]
    if message.bcc:
        destination["BccAddresses"] = addresses[first_bcc:]
    return destination


def _content(message: EmailMessage) -> dict[str, Any]:
    parts = {}
    if not message.text_only:
        parts["Html"] = _text(message.body)
    if message.text:
        parts["Text"] = _text(message.text)
    content = {"Subject": _text(message.subject), "Body": parts, "Headers": _headers(message)}
    if message.attachments:
        content["Attachments"] = [_attachment(attachment) for attachment in message.attachments]
    return content


def _text(data: str) -> dict[str, str]:
    # Without a charset SES assumes 7-bit ASCII.
    return {"Data": data, "Charset": "UTF-8"}


def _pair(name: str, value: str) -> dict[str, str]:
    return {"Name": name, "Value": value}


def _headers(message: EmailMessage) -> list[dict[str, str]]:
    headers = [_pair("X-Request-ID", message.tag)]
    headers += [_pair(name, header_text(value)) for name, value in message.headers.items()]
    if isinstance(message.list_unsubscribe, str):
        link = message.list_unsubscribe
        link = link if "<" in link else f"<{link}>"
        headers.append(_pair("List-Unsubscribe", link))
        if "<https:" in link.lower():  # RFC 8058 allows one-click by https alone
            headers.append(_pair("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
    return headers


def _attachment(attachment: Attachment) -> dict[str, str]:
    described = {
        "RawContent": base64.b64encode(attachment.content).decode(),
        "FileName": attachment.filename,
        "ContentType": attachment.content_type,
        "ContentDisposition": "INLINE" if attachment.content_id else "ATTACHMENT",
        "ContentTransferEncoding": "BASE64",  # how it lies in the mail: the one encoding that suits any content
    }
    if attachment.content_id:
        described["ContentId"] = attachment.content_id
    return described
