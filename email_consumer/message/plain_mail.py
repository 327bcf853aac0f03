"""The shape that nearly every message has, a map of a few texts in MessagePack, read at a fraction of what the model costs.

Whatever is not plainly valid here is left to the model, which alone decides what is refused and why. A test holds both equal.
"""

import msgpack

from email_consumer.message.address import parse_address
from email_consumer.message.fields import LONGEST_KEY, is_one_line, is_tenant

_REQUIRED = frozenset({"uuid", "email", "subject", "body"})
_TEXTS = _REQUIRED | {"text", "topic_id", "tenant"}
_SMALL_MAPS = range(0x80 + len(_REQUIRED), 0x80 + len(_TEXTS) + 1)
"""The first byte of a map that has as many keys."""
_MAX_BYTES = 4 * 1024 * 1024
"""Far less than SES takes, so that no size has to be computed."""


def read_plain_mail(payload: bytes) -> dict[str, str] | None:
    """The fields of a valid mail, each with a value; None if the message has another shape, or is not valid."""
    if not payload or payload[0] not in _SMALL_MAPS or len(payload) > _MAX_BYTES:
        return None
    try:
        # Neither arrays nor large maps, for which room would be made before anything of them has come.
        fields = msgpack.unpackb(payload, max_array_len=0, max_map_len=len(_TEXTS), max_ext_len=0)
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException):
        return None
    for name, text in fields.items():
        if name not in _TEXTS or type(text) is not str or not text:
            return None
    return fields if fields.keys() >= _REQUIRED and _is_valid(fields) else None


def _is_valid(fields: dict[str, str]) -> bool:
    uuid, topic_id, tenant = fields["uuid"], fields.get("topic_id", ""), fields.get("tenant")
    return (
        len(uuid) <= LONGEST_KEY
        and "\0" not in uuid
        and _is_address(fields["email"])
        and is_one_line(fields["subject"])
        and len(topic_id) <= LONGEST_KEY
        and is_one_line(topic_id)
        and (tenant is None or is_tenant(tenant))
    )


def _is_address(text: str) -> bool:
    try:
        parse_address(text)
    except ValueError:
        return False
    return True
