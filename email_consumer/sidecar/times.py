"""Times in answers: kept as Unix seconds, shown as RFC 3339 in UTC."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import PlainSerializer


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[float, PlainSerializer(_text, return_type=str, when_used="json")]
