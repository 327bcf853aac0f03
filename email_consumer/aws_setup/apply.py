"""Makes what a plan says, and removes what carries the tag. Each may be stopped anywhere and started again."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from email_consumer.aws_setup.kinds import KINDS
from email_consumer.aws_setup.kinds.kind import Aws
from email_consumer.aws_setup.plan import Action, Plan, Step, is_ours
from email_consumer.aws_setup.values import Values, Wanted
from email_consumer.runtime.errors import OperatorError


class ConflictError(OperatorError):
    """Something of somebody else is in the way; nothing was changed."""

    def __init__(self, conflicts: Iterable[Step]) -> None:
        lines = [f"{step.kind.label} {step.name}: {'; '.join(step.notes)}" for step in conflicts]
        super().__init__("\n".join(["nothing was changed, since these are not ours to change:", *lines, _WAYS]))


_WAYS = "Give them what they lack by hand, or choose other names (--name, CONFIGURATION_SET)."


async def apply(aws: Aws, plan: Plan) -> AsyncIterator[Step]:
    """Do what the plan says, and yield each step once it is done.

    Raises:
        ConflictError: there is a conflict; nothing was changed.
        AwsError: a call failed; what was done stays, and the next `apply` goes on from there.
    """
    if plan.conflicts:
        raise ConflictError(plan.conflicts)
    for step in plan.changes:
        if step.action is Action.MAKE:
            await step.kind.make(aws, step.wanted.properties, plan.values.tags)
        else:
            await step.kind.change(aws, step.wanted.properties)
        yield step


@dataclass(frozen=True, slots=True)
class Removal:
    """A resource that carries the tag."""

    wanted: Wanted
    others: tuple[str, ...]
    """What others keep in it."""

    @property
    def text(self) -> str:
        """Such as `topic email-consumer-events`."""
        kind = KINDS[self.wanted.resource.kind]
        return f"{kind.label} {kind.name(self.wanted.properties)}"


class InUseError(OperatorError):
    """Something that others keep would be lost; nothing was removed."""

    def __init__(self, removals: Iterable[Removal]) -> None:
        lines = [f"{each.text} holds {', '.join(each.others)}" for each in removals]
        super().__init__("\n".join(["nothing was removed, since this would be lost or stop working:", *lines]))


async def removals(aws: Aws, values: Values) -> list[Removal]:
    """What carries the tag, the last made first, whatever else the parameters say now; changes nothing.

    Raises:
        AwsError: something could not be looked at.
    """
    everything = values.unconditionally().wanted()
    planned: list[Removal] = []
    tenants: set[str] = set()
    for wanted in reversed(everything):
        removal = await _removal(aws, values, wanted, _parts(wanted, everything) | tenants)
        if removal:
            planned.append(removal)
            if wanted.resource.kind == "AWS::SES::Tenant":  # its associations will be gone before what it may use
                tenants.add(KINDS[wanted.resource.kind].name(wanted.properties))
    return planned


async def destroy(aws: Aws, values: Values) -> AsyncIterator[Removal]:
    """Remove what carries the tag; yield each once it is gone.

    Raises:
        InUseError: others keep something in one of them.
        AwsError: a call failed; the next `destroy` goes on from there.
    """
    everything = values.unconditionally().wanted()
    planned = await removals(aws, values)
    if used := [each for each in planned if each.others]:
        raise InUseError(used)
    for each in planned:
        # Once more: the first look may be minutes old.
        removal = await _removal(aws, values, each.wanted, _parts(each.wanted, everything))
        if removal and removal.others:
            raise InUseError([removal])
        if removal:
            await KINDS[each.wanted.resource.kind].remove(aws, each.wanted.properties)
            yield removal


async def _removal(aws: Aws, values: Values, wanted: Wanted, ours: frozenset[str]) -> Removal | None:
    """None if it goes with its parent, isn't there, or doesn't carry the tag."""
    kind = KINDS[wanted.resource.kind]
    found = None if wanted.resource.parent else await kind.read(aws, wanted.properties)
    if not found or not is_ours(found, values):
        return None
    return Removal(wanted, tuple(await kind.others(aws, wanted.properties, ours)))


def _parts(parent: Wanted, everything: Iterable[Wanted]) -> frozenset[str]:
    """The names of its parts that the description makes."""
    parts = (each for each in everything if each.resource.parent == parent.id)
    return frozenset(KINDS[each.resource.kind].name(each.properties) for each in parts)
