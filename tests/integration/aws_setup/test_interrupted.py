"""`apply` and `destroy`, ended right after any of their calls that change something, and started again.

What happens between two such calls only reads, so an end there leaves AWS as an end after the one before does.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from email_consumer.aws_setup.apply import apply, destroy
from email_consumer.aws_setup.kinds.kind import Aws
from email_consumer.aws_setup.plan import make_plan
from email_consumer.aws_setup.values import Values
from tests.integration.aws_setup.cloud import Cloud

_READS = ("get_", "list_")
Command = Callable[[Aws, Values], Awaitable[None]]


class Killed(BaseException):
    """The end of the process: nothing handles it."""


class Killing:
    """Calls AWS until the given change was made, whose answer is lost."""

    def __init__(self, aws: Aws, after: int) -> None:
        self._aws = aws
        self._after = after
        self.changes = 0

    async def call(self, service: str, operation: str, **arguments: object) -> dict[str, Any]:
        answer = await self._aws.call(service, operation, **arguments)
        if not operation.startswith(_READS):
            self.changes += 1
            if self.changes == self._after:
                raise Killed
        return answer


async def _apply(aws: Aws, values: Values) -> None:
    async for _ in apply(aws, await make_plan(aws, values)):
        pass


async def _destroy(aws: Aws, values: Values) -> None:
    async for _ in destroy(aws, values):
        pass


async def _nothing(_aws: Aws, _values: Values) -> None: ...


async def test_apply_ends_in_the_same_state(aws: Cloud) -> None:
    await _interrupt_everywhere(aws, aws.values(), _nothing, _apply)


@pytest.mark.parametrize("events", ["sqs"], indirect=True)
async def test_destroy_ends_in_the_same_state(aws: Cloud) -> None:
    await _interrupt_everywhere(aws, aws.values(MailQueues="false"), _apply, _destroy)


async def _interrupt_everywhere(aws: Cloud, values: Values, before: Command, command: Command) -> None:
    await before(aws.aws, values)
    uninterrupted = Killing(aws.aws, after=0)
    await command(uninterrupted, values)
    wanted = await aws.shape()
    assert uninterrupted.changes >= 8
    for number in range(1, uninterrupted.changes + 1):
        await aws.reset()
        await before(aws.aws, values)
        with pytest.raises(Killed):
            await command(Killing(aws.aws, after=number), values)
        await command(aws.aws, values)
        assert await aws.shape() == wanted, f"after change {number}"
