"""How a setting is declared."""

from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field

from email_consumer.settings import checks

SPLIT = BeforeValidator(checks.split)
CommaSeparated = Annotated[tuple[str, ...], SPLIT]


def variable(default: object, *names: str, **constraints: Any) -> Any:  # noqa: ANN401 - the type of any field
    """Read from the first of these variables that is set; the first is the documented one."""
    return Field(default, validation_alias=AliasChoices(*names), **constraints)
