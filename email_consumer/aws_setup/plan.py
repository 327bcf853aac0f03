"""What there is, what there should be, and what `apply` would do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from email_consumer.aws_setup.kinds import KINDS
from email_consumer.aws_setup.kinds.kind import Aws, Found, Kind
from email_consumer.aws_setup.values import TAG, Values, Wanted


class Action(StrEnum):
    """What `apply` does about a resource."""

    EXISTS = "exists"
    """Nothing."""
    MAKE = "make"
    CHANGE = "change"
    """It is ours; give it what it lacks."""
    CONFIRM = "confirm"
    """SNS asks the endpoint again to confirm the subscription."""
    LEAVE = "differs"
    """Nothing: it works as it is, and is for a person to decide."""
    CONFLICT = "conflict"
    """Stop before anything is changed: it is somebody else's, and lacks what we need."""


_PARENT = "is absent, and what it belongs to was not made by this command"


@dataclass(frozen=True, slots=True)
class Step:
    """One resource of a plan."""

    wanted: Wanted
    action: Action
    found: Found | None
    ours: bool
    """It carries our tag or is part of what does; or nobody has made it yet."""

    @property
    def kind(self) -> Kind:
        return KINDS[self.wanted.resource.kind]

    @property
    def name(self) -> str:
        """Its name at AWS."""
        return self.kind.name(self.wanted.properties)

    @property
    def notes(self) -> list[str]:
        """What a person should know of it."""
        if self.found is None:
            return [_PARENT] if self.action is Action.CONFLICT else []
        notes = [] if self.ours else ["not made by this command, so it is left as it is"]
        if self.found.details.get("pending"):
            notes.append("waits for confirmation: start the daemon with this topic in SNS_TOPIC_ARNS")
        notes += [f"lacks {lack.text}" for lack in self.found.lacks]
        return notes + list(self.found.differs)


@dataclass(frozen=True, slots=True)
class Plan:
    """All resources of an installation."""

    values: Values
    steps: Sequence[Step]

    @property
    def conflicts(self) -> list[Step]:
        """What has to be resolved before anything can be done."""
        return [step for step in self.steps if step.action is Action.CONFLICT]

    @property
    def changes(self) -> list[Step]:
        """What `apply` has to do."""
        return [step for step in self.steps if step.action in {Action.MAKE, Action.CHANGE, Action.CONFIRM}]

    def step(self, resource: str) -> Step | None:
        """The step of a resource by its id in the description."""
        return next((step for step in self.steps if step.wanted.id == resource), None)


async def make_plan(aws: Aws, values: Values) -> Plan:
    """Look at everything; changes nothing.

    Raises:
        AwsError: something could not be looked at.
    """
    steps: dict[str, Step] = {}
    for wanted in values.wanted():
        steps[wanted.id] = await _step(aws, values, wanted, steps.get(wanted.resource.parent))
    return Plan(values, list(steps.values()))


def is_ours(found: Found, values: Values) -> bool:
    """Whether it carries the tag of this installation."""
    return found.tags.get(TAG) == values.tags[TAG]


async def _step(aws: Aws, values: Values, wanted: Wanted, parent: Step | None) -> Step:
    if parent and parent.found is None:
        return Step(wanted, Action.MAKE, None, ours=True)
    found = await KINDS[wanted.resource.kind].read(aws, wanted.properties)
    if found is None:
        ours = parent is None or parent.ours
        return Step(wanted, Action.MAKE if ours else Action.CONFLICT, None, ours=ours)
    ours = parent.ours if parent else is_ours(found, values)
    return Step(wanted, _action(found, ours=ours, part=parent is not None), found, ours=ours)


def _action(found: Found, *, ours: bool, part: bool) -> Action:
    if ours and found.lacks:
        return Action.CHANGE
    if any(lack.essential for lack in found.lacks) or (part and found.differs):
        return Action.CONFLICT
    if ours and found.details.get("pending"):
        return Action.CONFIRM
    return Action.LEAVE if found.lacks or found.differs else Action.EXISTS
