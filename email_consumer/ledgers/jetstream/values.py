"""Types of values read from JetStream, limited to what SQLite and the calendar can hold: anybody may have written them."""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

Text = Annotated[str, StringConstraints(max_length=2**20)]
"""Without unpaired surrogates: pydantic rejects them when it checks the length."""
Count = Annotated[int, Field(ge=0, lt=2**63)]
Hash = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Moment = Annotated[float, Field(ge=0.0, lt=253_402_300_800.0)]
"""Unix seconds, up to the year 9999."""

STRICT = ConfigDict(strict=True, allow_inf_nan=False)
