"""Times in answers: kept as Unix seconds, shown as RFC 3339 in UTC with milliseconds."""

from typing import Annotated

from pydantic import PlainSerializer, WithJsonSchema

from email_consumer.message.times import rfc3339

Moment = Annotated[
    float,
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""The only type of a time in an answer."""
