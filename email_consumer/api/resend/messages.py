"""Mail as Resend's API takes it, in terms of ours: https://resend.com/docs/api-reference/emails/send-email."""

import mimetypes
import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from email_consumer.api.batch import Batch
from email_consumer.api.new_messages import NewMessage
from email_consumer.api.resend.errors import invalid
from email_consumer.core.mail_queue import LANE
from email_consumer.message.fields import is_tag
from email_consumer.message.keys import Reading
from email_consumer.message.lane import Lane
from email_consumer.message.problems import problems
from email_consumer.web.errors import ApiError

_OUR_NAMES = {"from": "from_email", "html": "content"}
_NOT_HERE = {
    "template": "templates are not stored here; send html or text",
    "react": "components are rendered by the SDK; send html",
}
_UNNAMED = "attachment"
_PLACE = re.compile(r"^messages\.0(\.|: )")


def to_message(given: object, reading: Reading) -> NewMessage:
    """One mail of Resend's.

    Raises:
        ApiError: 422, it is invalid, or asks for something that can't be expressed here.
    """
    if not isinstance(given, dict):
        raise invalid("Each email must be an object.")
    for name, reason in _NOT_HERE.items():
        if given.get(name):
            raise invalid(f"`{name}`: {reason}.")
    for name in ("from", "to", "subject"):
        if not given.get(name):
            raise ApiError(422, "missing_required_field", f"Missing `{name}` field.")
    if not given.get("html") and not given.get("text"):
        raise ApiError(422, "missing_required_field", "Missing `html` or `text` field.")
    mail = {_OUR_NAMES.get(name, name): value for name, value in given.items() if name not in {"to", "lane"}}
    mail["emails"] = [_recipient(given["to"])]
    mail["attachments"] = [_attachment(each) for each in _list(given.get("attachments"), "attachments")]
    headers = given.get("headers") or {}
    if not isinstance(headers, Mapping):
        raise invalid("`headers`: must be an object.")
    headers = dict(headers)
    lane = next((headers.pop(name) for name in [*headers] if name.lower() == LANE.lower()), given.get("lane"))
    mail["headers"] = headers
    mail["tags"] = tags = _tags(given.get("tags"))
    if lane is None and tags.get("lane") in [*Lane]:
        lane = tags.pop("lane")
    mail["lane"] = lane
    try:
        return NewMessage.model_validate(mail, context=reading)
    except ValidationError as error:
        raise invalid(in_their_names(problems(error)[0])) from None


def _recipient(to: object) -> str:
    addresses = [to] if isinstance(to, str) else to
    if not isinstance(addresses, list) or len(addresses) != 1 or not isinstance(addresses[0], str):
        raise invalid(
            "`to`: one address. Each mail here has one recipient; add others to `cc` or `bcc`, or send a batch."
        )
    return addresses[0]


def _attachment(given: object) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise invalid("`attachments`: each must be an object.")
    if given.get("path"):
        raise invalid("`attachments`: remote files are not fetched here; send their `content`.")
    filename = given.get("filename") or _UNNAMED
    kind = given.get("content_type") or given.get("contentType") or mimetypes.guess_type(str(filename))[0]
    own = {"filename": filename, "content": _bytes(given.get("content"))}
    content_id = next((given[name] for name in _CONTENT_IDS if given.get(name)), None)
    return own | ({"content_type": kind} if kind else {}) | ({"content_id": content_id} if content_id else {})


_CONTENT_IDS = ("content_id", "contentId", "inline_content_id", "inlineContentId")


def _bytes(content: object) -> object:
    """Base64 as text; or what JSON makes of a list of bytes in Python, and of a Buffer in Node."""
    if isinstance(content, Mapping):
        content = content.get("data")
    if not isinstance(content, list):
        return content
    try:
        return bytes(content)
    except (ValueError, TypeError):
        raise invalid("`attachments`: content is neither base64 nor a list of bytes.") from None


def _tags(given: object) -> dict[str, str]:
    tags = {}
    for tag in _list(given, "tags"):
        name, value = (tag.get("name"), tag.get("value")) if isinstance(tag, Mapping) else (None, None)
        if not isinstance(name, str) or not isinstance(value, str) or not is_tag(name) or not is_tag(value):
            raise invalid("`tags`: each has a name and a value of 1 to 256 of the characters A-Z a-z 0-9 _ -.")
        tags[name] = value
    return tags


def _list(given: object, name: str) -> list[object]:
    if given is None:
        return []
    if not isinstance(given, list):
        raise invalid(f"`{name}`: must be a list.")
    return given


def refused(batch: Batch) -> ApiError:
    """A 422 for the recipient that is no address."""
    return invalid(f"`to`: {batch.refused[0].error.removesuffix('.')}.")


def in_their_names(problem: str) -> str:
    """What is wrong, without our names of fields and the place in the batch that one email is for us."""
    problem = _PLACE.sub("", problem)
    for theirs, ours in {**_OUR_NAMES, "to": "emails"}.items():
        problem = problem.replace(f"{ours}:", f"{theirs}:").replace(f"{ours}.", f"{theirs}.")
    return problem
