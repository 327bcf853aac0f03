"""Injected faults: what the sandbox does wrong on request, to test how a client copes."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import translate
from random import random
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ses_sandbox.aws.errors import AwsError, BareStatus, ConnectionCut
from ses_sandbox.change import Change


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Delay(_Strict):
    """Wait, then go on as usual."""

    kind: Literal["delay"]
    seconds: float = Field(ge=0)


class Error(_Strict):
    """Answer an AWS error; status and text default to the code's own."""

    kind: Literal["error"]
    code: str = Field(min_length=1)
    message: str | None = None
    status: int | None = Field(default=None, ge=400, le=599)


class Status(_Strict):
    """Answer a bare HTTP status, as a proxy in front of the service would, before or after (`status_after`) accepting."""

    kind: Literal["status", "status_after"]
    status: int = Field(ge=200, le=599)


class Hang(_Strict):
    """Never answer, before (`hang`) or after (`hang_after`) accepting."""

    kind: Literal["hang", "hang_after"]


class Cut(_Strict):
    """Cut the connection, before (`cut_before`) or after (`cut_after`) accepting."""

    kind: Literal["cut_before", "cut_after"]


class Encode(_Strict):
    """Answer as usual, encoded though the client did not ask for it."""

    kind: Literal["encode"]
    encoding: Literal["gzip", "deflate"]


class Trickle(_Strict):
    """Answer as usual, one byte at a time, `seconds` apart."""

    kind: Literal["trickle"]
    seconds: float = Field(gt=0)


Action = Annotated[Delay | Error | Status | Hang | Cut | Encode | Trickle, Field(discriminator="kind")]


class FaultScript(_Strict):
    """When a fault applies and what it does; the body of `POST /sandbox/faults`."""

    operation: str = "SendEmail"
    """Name of the SES or SNS operation; `*` is any."""
    match: dict[Literal["to", "subject", "uuid"], str] = Field(default_factory=dict)
    """Shell patterns (`*`, `?`), all of which must match, ignoring case; `to` matches any recipient."""
    times: int | None = Field(default=None, ge=1)
    """How often it applies before it is spent; None: until it is removed."""
    every: int = Field(default=1, ge=1)
    """Apply to each n-th matching request only."""
    probability: float = Field(default=1.0, ge=0, le=1)
    action: Action


@dataclass(slots=True)
class Fault:
    """A script and how often it was applied."""

    id: int
    script: FaultScript
    hits: int = 0
    matched: int = 0
    patterns: Mapping[str, re.Pattern[str]] = field(init=False)

    def __post_init__(self) -> None:
        """Compile the patterns once."""
        self.patterns = {name: re.compile(translate(glob), re.IGNORECASE) for name, glob in self.script.match.items()}

    def applies(self, operation: str, attributes: Mapping[str, tuple[str, ...]]) -> bool:
        """Whether it applies to this request; counts the request if so."""
        script = self.script
        if script.operation not in ("*", operation) or (script.times is not None and self.hits >= script.times):
            return False
        if not all(any(map(pattern.match, attributes.get(name, ()))) for name, pattern in self.patterns.items()):
            return False
        self.matched += 1
        if self.matched % script.every or random() >= script.probability:  # noqa: S311 - no secret
            return False
        self.hits += 1
        return True


AfterAcceptance = Status | Hang | Cut
ResponseChange = Encode | Trickle


class Faults:
    """All scripted faults, in the order they were added; the first that ends the request wins, the others add up."""

    def __init__(self) -> None:
        """No faults at first."""
        self.scripted: dict[int, Fault] = {}
        self._next_id = 1
        self._applied = Change()

    def add(self, script: FaultScript) -> Fault:
        """Add a fault."""
        fault = Fault(self._next_id, script)
        self._next_id += 1
        self.scripted[fault.id] = fault
        return fault

    async def before(
        self,
        operation: str,
        attributes: Mapping[str, tuple[str, ...]],
        change_response: Callable[[ResponseChange], None],
    ) -> AfterAcceptance | None:
        """Apply to a request what is scripted for before it takes effect; return what remains for `after`.

        `attributes` are what the faults match: `to`, `subject`, `uuid`, each with all its values. `change_response` takes what
        is to be done to the answer, whatever it will be.

        Raises:
            AwsError, BareStatus, ConnectionCut: the request ends so.
        """
        for fault in tuple(self.scripted.values()):
            if not fault.applies(operation, attributes):
                continue
            self._applied.announce()
            match fault.script.action:
                case Delay(seconds=seconds):
                    await asyncio.sleep(seconds)
                case Error(code=code, message=message, status=status):
                    raise AwsError(code, message, status)
                case Encode() | Trickle() as change:
                    change_response(change)
                case Status(kind="status", status=status):
                    raise BareStatus(status)
                case Hang(kind="hang"):
                    await hang()
                case Cut(kind="cut_before"):
                    raise ConnectionCut
                case Status() | Hang() | Cut() as later:
                    return later
        return None

    async def wait_for_hits(self, fault: Fault, hits: int) -> None:
        """Return once it was applied that often."""

        async def reached() -> bool:
            return fault.hits >= hits

        await self._applied.wait_until(reached)


async def after(action: AfterAcceptance | None) -> None:
    """Do what `Faults.before` left for the time after acceptance.

    Raises:
        BareStatus, ConnectionCut: the request ends so.
    """
    match action:
        case Status(status=status):
            raise BareStatus(status)
        case Hang():
            await hang()
        case Cut():
            raise ConnectionCut


async def hang() -> None:
    """Wait until the client gives up (the server then cancels the request)."""
    await asyncio.get_running_loop().create_future()
