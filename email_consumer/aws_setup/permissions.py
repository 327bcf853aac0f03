"""What the command's own credentials need; `sts:GetCallerIdentity` is allowed to everybody."""

from typing import Literal

from email_consumer.aws_setup.kinds import KINDS
from email_consumer.aws_setup.values import Values

Command = Literal["plan", "apply", "destroy"]


def needed_permissions(values: Values, command: Command) -> list[str]:
    """The actions of an IAM policy, in alphabetical order."""
    wanted = (values.unconditionally() if command == "destroy" else values).wanted()
    found: set[str] = set()
    for each in wanted:
        kind = KINDS[each.resource.kind]
        found.update(kind.reads)
        if command == "apply":
            found.update(kind.makes)
        if command == "destroy":
            found.update(kind.removes)
    return sorted(found)
