"""The Idempotency-Key of a request."""

from aiohttp import web

from email_consumer.api.mail_store import RequestKey
from email_consumer.web.grant import GRANT, ROOT
from email_consumer.web.routing import ApiError

HEADER = "Idempotency-Key"
_LONGEST = 255


def request_key(request: web.Request, digest: bytes, contract: str = "") -> RequestKey | None:
    """The key with the digest of its request; None without the header.

    Stored API keys have separate Idempotency-Keys, and so has each `contract`: nobody learns what others sent.

    Raises:
        ApiError: 400, it is not a key.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not 1 <= len(key) <= _LONGEST or not key.isprintable():
        raise ApiError(400, "bad_key", f"{HEADER} must consist of 1 to {_LONGEST} printable characters.")
    grant = request[GRANT]
    owner = "" if grant is ROOT else grant.key_id
    return RequestKey(":".join([*filter(None, (contract, owner)), key]), digest)
