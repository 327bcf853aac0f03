"""SES events on their way out of SES: the configuration set, its SNS destination, the topic."""

from collections.abc import Collection, Iterable
from typing import Any

from email_consumer.aws.control_plane import ControlPlane
from email_consumer.aws.errors import AwsError
from email_consumer.doctor.finding import Finding, error, ok, skipped, warning

NEEDED = {
    "SEND": "mail in doubt is then settled by IN_DOUBT alone",
    "DELIVERY": "nobody then knows whether mail arrived",
    "BOUNCE": "dead addresses are then never suppressed, which SES punishes",
    "COMPLAINT": "who complains then goes on getting mail, which SES punishes",
    "REJECT": "mail that SES found a virus in then counts as sent",
}
"""What the event destination has to carry, and what is missing without it."""


async def check_events(
    aws: ControlPlane, configuration_set: str | None, topics: Collection[str], *, stand_in: bool
) -> tuple[set[str], list[Finding]]:
    """Follow the events to their topics; `topics` are those of SNS_TOPIC_ARNS. Returns those that both sides name.

    A stand-in for SES publishes the events of all mail, whether a configuration set is named or not.
    """
    if configuration_set is None and stand_in and topics:
        return set(topics), [ok("ses.configuration_set", "The sandbox needs none.")]
    if configuration_set is None:
        return set(topics), [_without(topics)]
    try:
        found = await aws.ses("get_configuration_set", ConfigurationSetName=configuration_set)
        destinations = await aws.ses("get_configuration_set_event_destinations", ConfigurationSetName=configuration_set)
    except AwsError as failure:
        return set(topics) if failure.forbidden else set(), [_configuration_set_error(failure, configuration_set)]
    paused = not found.get("SendingOptions", {}).get("SendingEnabled", True)
    first = _paused(configuration_set) if paused else ok("ses.configuration_set", f"{configuration_set} is there.")
    carried = _topics(destinations["EventDestinations"])
    return set(carried) & set(topics), [first, *_destination(configuration_set, carried, topics)]


def _without(topics: Collection[str]) -> Finding:
    fix = "`email-consumer aws apply` makes a configuration set with an SNS event destination; set CONFIGURATION_SET to it."
    if topics:
        text = (
            "CONFIGURATION_SET is not set: SES tells of bounces and complaints at most, by the identity's own feedback."
        )
    else:
        text = (
            "No way back is set up: bounces and complaints go unnoticed, no address is suppressed, and mail in doubt is settled"
            " by IN_DOUBT alone."
        )
    return warning("ses.configuration_set", text, fix)


def _configuration_set_error(failure: AwsError, name: str) -> Finding:
    if failure.absent:
        text = f"The configuration set {name} does not exist in this region: SES refuses all mail."
        create = "`email-consumer aws apply` creates it with its event destination; or fix CONFIGURATION_SET."
        return error("ses.configuration_set", text, create)
    return (skipped if failure.forbidden else error)("ses.configuration_set", str(failure), failure.fix)


def _paused(name: str) -> Finding:
    resume = f"`aws sesv2 put-configuration-set-sending-options --configuration-set-name {name} --sending-enabled`"
    return error("ses.configuration_set", f"Sending with the configuration set {name} is paused.", resume)


def _topics(destinations: Iterable[dict[str, Any]]) -> dict[str, set[str]]:
    """Each topic that an enabled destination publishes to, with its event types."""
    topics: dict[str, set[str]] = {}
    for destination in destinations:
        arn = destination.get("SnsDestination", {}).get("TopicArn")
        if arn and destination.get("Enabled"):
            topics.setdefault(arn, set()).update(destination.get("MatchingEventTypes", ()))
    return topics


def _destination(name: str, carried: dict[str, set[str]], topics: Collection[str]) -> list[Finding]:
    if not carried:
        text = f"The configuration set {name} publishes no events to SNS: bounces and complaints go unnoticed."
        return [error("ses.event_destination", text, f"Give it an (enabled) event destination to an SNS topic: {_HOW}")]
    findings = []
    types = set().union(*carried.values())
    for missing in [each for each in NEEDED if each not in types]:
        text = f"The configuration set {name} does not publish {missing} events: {NEEDED[missing]}."
        findings.append(error("ses.event_destination", text, f"Add {missing} to its event destination: {_HOW}"))
    if not set(carried) & set(topics):
        arns = ", ".join(sorted(carried))
        text = f"Events go to {arns}, which SNS_TOPIC_ARNS does not name: every one of them is refused."
        findings.append(error("ses.topic", text, f"Set SNS_TOPIC_ARNS={arns}"))
    return findings or [ok("ses.event_destination", f"All events that are needed go to {', '.join(sorted(carried))}.")]


_HOW = (
    "`email-consumer aws apply`, or by hand `aws sesv2 update-configuration-set-event-destination` (the SES console,"
    " Configuration sets)."
)
