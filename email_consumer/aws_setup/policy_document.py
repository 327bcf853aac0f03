"""What a policy allows already, and the policy with what it lacks. Nothing is ever taken out of one."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

Statement = Mapping[str, Any]
Document = Mapping[str, Any]


def missing(document: Document, wanted: Document) -> list[Statement]:
    """The statements of `wanted` that no single statement of `document` covers."""
    present = _statements(document)
    return [each for each in _statements(wanted) if not any(_covers(other, each) for other in present)]


def merged(document: Document, wanted: Document) -> dict[str, Any]:
    """`document` with the statements that are missing; one of the same Sid and purpose is widened."""
    statements = list(_statements(document))
    for each in missing(document, wanted):
        place = next((place for place, other in enumerate(statements) if _can_be_widened(other, each)), None)
        if place is None:
            taken = {other.get("Sid") for other in statements}
            statements.append({**each, "Sid": _free(each["Sid"], taken)})
        else:
            other = statements[place]
            both = {key: _union(other[key], each[key]) for key in ("Action", "Resource")}
            statements[place] = {**other, **both}
    return {"Version": "2012-10-17", **document, "Statement": statements}


def _statements(document: Document) -> list[Statement]:
    found = document.get("Statement", [])
    return [found] if isinstance(found, Mapping) else list(found)


def _covers(present: Statement, wanted: Statement) -> bool:
    return (
        present.get("Effect") == wanted["Effect"]
        and _same_principal(present, wanted)
        and present.get("Condition") in (None, wanted.get("Condition"))
        and all(_matches(action, present.get("Action", ()), fold=True) for action in _list(wanted["Action"]))
        and all(_matches(name, present.get("Resource", ()), fold=False) for name in _list(wanted["Resource"]))
    )


def _can_be_widened(present: Statement, wanted: Statement) -> bool:
    same = all(present.get(key) == wanted.get(key) for key in ("Sid", "Effect", "Principal", "Condition"))
    return same and "Action" in present and "Resource" in present


def _same_principal(present: Statement, wanted: Statement) -> bool:
    given, needed = present.get("Principal"), wanted.get("Principal")
    if isinstance(given, Mapping) and isinstance(needed, Mapping):
        return all(set(_list(needed[key])) <= set(_list(given.get(key, ()))) for key in needed)
    return bool(given == needed)


def _matches(name: str, patterns: str | Iterable[str], *, fold: bool) -> bool:
    """Names of actions are the same in any case, those of resources are not."""
    if fold:
        return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in _list(patterns))
    return any(fnmatchcase(name, pattern) for pattern in _list(patterns))


def _union(present: str | list[str], wanted: str | list[str]) -> list[str]:
    return list(dict.fromkeys([*_list(present), *_list(wanted)]))


def _list(value: str | Iterable[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _free(sid: str, taken: set[Any]) -> str:
    return next(name for name in (sid, *(f"{sid}{number}" for number in range(2, 1000))) if name not in taken)
