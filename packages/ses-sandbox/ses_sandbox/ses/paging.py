"""Pages of the lists whose operations are POST requests, and the filters of those."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ses_sandbox.aws.errors import AwsError

Item = TypeVar("Item")
_MAX_PAGE = 1_000


def page(items: Sequence[Item], request: Mapping[str, Any]) -> tuple[Sequence[Item], dict[str, str]]:
    """The page that a request asks for, and the `NextToken` of its answer, if there are more. The token counts items.

    Raises:
        AwsError: BadRequestException, if the size or the token is invalid.
    """
    size, token = request.get("PageSize", _MAX_PAGE), request.get("NextToken") or "0"
    if not isinstance(size, int) or not 1 <= size <= _MAX_PAGE:
        raise AwsError("BadRequestException", f"PageSize must be a number from 1 to {_MAX_PAGE}.")
    if not isinstance(token, str) or not token.isdecimal():
        raise AwsError("BadRequestException", "NextToken is invalid.")
    end = int(token) + size
    return items[int(token) : end], {"NextToken": str(end)} if end < len(items) else {}


def matching(
    items: Sequence[Item], request: Mapping[str, Any], filters: Mapping[str, Callable[[Item, str], bool]]
) -> list[Item]:
    """The items that all filters of the request let through.

    Raises:
        AwsError: BadRequestException, naming a filter that the operation doesn't have.
    """
    given = request.get("Filter") or {}
    for key in given:
        if key not in filters:
            raise AwsError("BadRequestException", f"Invalid filter key {key} specified.")
    return [item for item in items if all(filters[key](item, value) for key, value in given.items())]
