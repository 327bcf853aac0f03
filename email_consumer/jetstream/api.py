"""JetStream's API in JSON, as the server speaks it.

nats-py's models drop each field that they don't know: what they have read can't be written back, and the server's own
time, a pause or a newer limit is not in them.
"""

from typing import Any

import orjson
from nats.aio.client import Client
from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError

PATIENCE = 5.0
"""Seconds for an answer; a server that has a leader answers in milliseconds."""

_KINDS: dict[object, type[APIError]] = {404: NotFoundError, 503: ServiceUnavailableError}


async def ask(client: Client, verb: str, question: object = None, *, patience: float = PATIENCE) -> dict[str, Any]:
    """The answer to a request such as `STREAM.INFO.messages`.

    Raises:
        nats.js.errors.APIError: the server refuses; NotFoundError where what the verb names is not there.
        nats.errors.Error: no answer.
    """
    payload = orjson.dumps(question) if question is not None else b""
    answer: dict[str, Any] = orjson.loads((await client.request(f"$JS.API.{verb}", payload, timeout=patience)).data)
    if error := answer.get("error"):
        kind = _KINDS.get(error.get("code"), APIError)
        raise kind(code=error.get("code"), err_code=error.get("err_code"), description=error.get("description"))
    return answer
