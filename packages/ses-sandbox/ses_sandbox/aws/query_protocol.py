"""The `query` protocol of SNS and STS: a form with an `Action`, answered in XML."""

import re
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from aiohttp import web

from ses_sandbox.aws.errors import AwsError
from ses_sandbox.identifiers import random_uuid

_CODES = {
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "IncompleteSignatureException": "IncompleteSignature",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "UnrecognizedClientException": "InvalidClientTokenId",
    "ExpiredTokenException": "ExpiredToken",
}
"""The request guard's errors have other names in this protocol."""

_CLIENT_ERROR_BELOW = 500


class Entries(dict[str, str]):
    """A map, which is written as `entry`, `key` and `value` elements; other mappings are structures."""


Node = str | Sequence["Node"] | Mapping[str, "Node"]


def xml_answer(action: str, namespace: str, result: Mapping[str, Node] | None) -> web.Response:
    """The output of an action; None for one that has no result."""
    inner = "" if result is None else f"<{action}Result>{_xml(result)}</{action}Result>"
    metadata = f"<ResponseMetadata><RequestId>{random_uuid()}</RequestId></ResponseMetadata>"
    text = f'<{action}Response xmlns="{namespace}">{inner}{metadata}</{action}Response>'
    return web.Response(text=text, content_type="text/xml")


def xml_error(error: AwsError, namespace: str) -> web.Response:
    """The error as botocore reads it."""
    side = "Sender" if error.status < _CLIENT_ERROR_BELOW else "Receiver"
    code = _CODES.get(error.code, error.code)
    text = (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>{side}</Type><Code>{escape(code)}</Code>'
        f"<Message>{escape(error.message)}</Message></Error><RequestId>{random_uuid()}</RequestId></ErrorResponse>"
    )
    return web.Response(status=error.status, text=text, content_type="text/xml")


def entries(form: Mapping[str, str], name: str) -> dict[str, str]:
    """The map that a form writes as `name.entry.1.key`, `name.entry.1.value` and so on."""
    pattern = re.compile(rf"{re.escape(name)}\.entry\.(\d+)\.key")
    found = ((match[1], key) for field, key in form.items() if (match := pattern.fullmatch(field)))
    return {key: form.get(f"{name}.entry.{number}.value", "") for number, key in found}


def tags(form: Mapping[str, str]) -> dict[str, str]:
    """What a form writes as `Tags.member.1.Key`, `Tags.member.1.Value` and so on."""
    found = (
        (match[1], key) for field, key in form.items() if (match := re.fullmatch(r"Tags\.member\.(\d+)\.Key", field))
    )
    return {key: form.get(f"Tags.member.{number}.Value", "") for number, key in found}


def _xml(node: Node) -> str:
    if isinstance(node, str):
        return escape(node)
    if isinstance(node, Entries):
        return "".join(
            f"<entry><key>{escape(key)}</key><value>{escape(value)}</value></entry>" for key, value in node.items()
        )
    if isinstance(node, Mapping):
        return "".join(f"<{name}>{_xml(value)}</{name}>" for name, value in node.items())
    return "".join(f"<member>{_xml(member)}</member>" for member in node)
