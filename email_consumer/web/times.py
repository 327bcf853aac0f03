"""Times in answers: kept as Unix seconds, shown as RFC 3339 in UTC."""

from typing import Annotated

from pydantic import PlainSerializer

from email_consumer.message.times import from_unix


def _text(seconds: float) -> str:
    return from_unix(seconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[float, PlainSerializer(_text, return_type=str, when_used="json")]
