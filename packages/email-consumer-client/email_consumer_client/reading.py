"""Dataclasses from JSON documents, tolerant of what a newer version adds."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from datetime import datetime
from typing import Any, TypeVar

from email_consumer_client.errors import UnexpectedAnswerError

Kind = TypeVar("Kind")


def read(kind: type[Kind], document: object, **converted: Any) -> Kind:  # noqa: ANN401 - the fields of `kind`
    """A `kind` of those of its fields that the document has; the whole document is its `raw`.

    Raises:
        UnexpectedAnswerError: a required field is absent.
    """
    if not isinstance(document, Mapping):
        raise UnexpectedAnswerError(f"a JSON object was expected, not {document!r:.100}")
    values: dict[str, Any] = {}
    for each in fields(kind):  # type: ignore[arg-type]  # only dataclasses are given
        if each.name == "raw":
            values["raw"] = document
        elif each.name in converted:
            values[each.name] = converted[each.name]
        elif each.name in document:
            values[each.name] = document[each.name]
        elif each.default is MISSING and each.default_factory is MISSING:
            raise UnexpectedAnswerError(f"{kind.__name__}: the answer has no {each.name!r}")
    return kind(**values)


def moment(document: Mapping[str, Any], name: str) -> datetime | None:
    """A time of RFC 3339; None where it is absent or null.

    Raises:
        UnexpectedAnswerError: it is no time.
    """
    value = document.get(name)
    if value is None:
        return None
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise UnexpectedAnswerError(f"{name}: {value!r:.100} is not a time") from None
