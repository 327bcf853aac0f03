"""A plan as text for a terminal, and as JSON for programs."""

from collections.abc import Mapping, Sequence
from typing import Any

from email_consumer.aws_setup.dns_records import DnsRecord, dns_records, zone_file
from email_consumer.aws_setup.permissions import Command, needed_permissions
from email_consumer.aws_setup.plan import Action, Plan, Step
from email_consumer.aws_setup.values import TAG

_COLUMN = max(len(action) for action in Action)


def line(step: Step) -> str:
    """A line for the step, with its notes beneath."""
    first = f"{step.action:<{_COLUMN}}  {step.kind.label} {step.name}"
    return "\n".join([first, *(f"{'':<{_COLUMN}}    {note}" for note in step.notes)])


def as_text(plan: Plan, command: Command) -> str:
    """What there is and would be, and the permissions for it."""
    account, name = plan.values.account, plan.values.tags[TAG]
    changes = len(plan.changes)
    found = [f"Account {account.number}, region {account.region}, tag {TAG}={name}", ""]
    found += [line(step) for step in plan.steps]
    if plan.conflicts:
        found += ["", f"{len(plan.conflicts)} in the way: `apply` would refuse, and change nothing."]
    else:
        found += ["", f"{changes} to make or change." if changes else "Nothing to do."]
    if command == "plan":
        found += ["", f"`apply` needs these permissions: {', '.join(needed_permissions(plan.values, 'apply'))}"]
    return "\n".join(found)


def records(plan: Plan) -> list[DnsRecord]:
    """The DNS records, once SES has made its keys."""
    step = plan.step("Identity")
    return dns_records(plan.values, step.found.details) if step and step.found else []


def what_is_left(plan: Plan, environment: Mapping[str, str]) -> str:
    """What is for a person to do: DNS, `.env`, attaching the policies."""
    step = plan.step("Identity")
    found = []
    if step and step.found and not step.found.details["verified"]:
        found += [f"Put these records into the DNS of {step.name}; SES then looks within hours:", ""]
        found += [zone_file(records(plan)), ""]
    found += ["Settings, for .env:", "", *(f"{name}={value}" for name, value in environment.items()), ""]
    policies = [each.wanted.properties["Arn"] for each in plan.steps if each.kind.label == "IAM policy"]
    return "\n".join([*found, "Attach to the daemon's user or role, and to that of doctor:", "", *policies])


def as_document(plan: Plan, environment: Mapping[str, str], done: Sequence[str] = ()) -> dict[str, Any]:
    """For programs; `done` has the ids of what was made or changed."""
    account = plan.values.account
    return {
        "account": account.number,
        "region": account.region,
        "tags": plan.values.tags,
        "done": list(done),
        "resources": [
            {
                "id": step.wanted.id,
                "kind": step.wanted.resource.kind,
                "name": step.name,
                "action": step.action,
                "ours": step.ours,
                "notes": step.notes,
            }
            for step in plan.steps
        ],
        "dns": records(plan),
        "environment": dict(environment),
        "permissions": {command: needed_permissions(plan.values, command) for command in ("plan", "apply", "destroy")},
    }
