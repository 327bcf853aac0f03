"""One message in each form that a publisher may write, to see that it means the same in all of them."""

import base64
import json
from collections.abc import Callable
from typing import Any

import msgpack

from email_consumer.message.model import EmailMessage, decode

MAIL = {"uuid": "u-1", "email": "you@example.com", "subject": "Hello", "body": "<p>Hi</p>"}

FORMS: dict[str, Callable[[Any], bytes]] = {
    "map": msgpack.packb,
    "json": lambda value: json.dumps(value).encode(),
    "json with a byte order mark": lambda value: b"\xef\xbb\xbf" + json.dumps(value).encode(),
    "base64": lambda value: base64.b64encode(msgpack.packb(value)),
    "base64url, unpadded": lambda value: base64.urlsafe_b64encode(msgpack.packb(value)).rstrip(b"="),
}


def read(form: str, **fields: Any) -> EmailMessage:
    """The mail with further fields, written and decoded."""
    return decode(FORMS[form](MAIL | fields))
