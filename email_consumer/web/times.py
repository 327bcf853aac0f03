"""Times in answers: kept as Unix seconds, shown as RFC 3339 in UTC with milliseconds."""

from typing import Annotated

from pydantic import PlainSerializer, WithJsonSchema

from email_consumer.message.times import from_unix


def _text(seconds: float) -> str:
    return from_unix(seconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[
    float,
    PlainSerializer(_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""The only type of a time in an answer."""
