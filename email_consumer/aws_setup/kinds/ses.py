"""Identities, configuration sets and their event destinations."""

from typing import Any

from email_consumer.aws_setup.kinds.kind import Aws, Found, Kind, Lack, Properties, Tags, found, tag_list, tag_map
from email_consumer.aws_setup.kinds.tenant import other_tenants


class Identity(Kind):
    """A domain, which SES signs for with keys of its making, and its return path."""

    label = "domain"
    reads = ("ses:GetEmailIdentity",)
    makes = ("ses:CreateEmailIdentity", "ses:PutEmailIdentityMailFromAttributes", "ses:TagResource")
    removes = ("ses:DeleteEmailIdentity", "ses:ListResourceTenants")

    def name(self, wanted: Properties) -> str:
        return str(wanted["EmailIdentity"])

    async def read(self, aws: Aws, wanted: Properties) -> Found | None:
        answer = await found(aws, "sesv2", "get_email_identity", EmailIdentity=self.name(wanted))
        if answer is None:
            return None
        lacks, differs = [], []
        mail_from, present = wanted["MailFromAttributes"]["MailFromDomain"], answer.get("MailFromAttributes", {})
        if not present.get("MailFromDomain"):
            lacks.append(Lack(f"the MAIL FROM domain {mail_from}", essential=False))
        elif present["MailFromDomain"] != mail_from:
            differs.append(f"its MAIL FROM domain is {present['MailFromDomain']}")
        dkim = answer.get("DkimAttributes", {})
        if not dkim.get("SigningEnabled"):
            differs.append("DKIM is switched off")
        details = {
            "verified": bool(answer.get("VerifiedForSendingStatus")),
            "mail_from": present.get("MailFromDomain"),
            "tokens": tuple(dkim.get("Tokens", ())),
            "zone": dkim.get("SigningHostedZone"),
        }
        return Found(tag_map(answer.get("Tags")), tuple(lacks), tuple(differs), details)

    async def make(self, aws: Aws, wanted: Properties, tags: Tags) -> None:
        await aws.call("sesv2", "create_email_identity", EmailIdentity=self.name(wanted), Tags=tag_list(tags))
        await self.change(aws, wanted)

    async def change(self, aws: Aws, wanted: Properties) -> None:
        attributes = wanted["MailFromAttributes"]
        await aws.call(
            "sesv2", "put_email_identity_mail_from_attributes", EmailIdentity=self.name(wanted), **attributes
        )

    async def others(self, aws: Aws, wanted: Properties, ours: frozenset[str]) -> list[str]:
        answer = await found(aws, "sesv2", "get_email_identity", EmailIdentity=self.name(wanted)) or {}
        policies = [f"the authorization policy {policy}" for policy in answer.get("Policies", {})]
        return policies + await other_tenants(aws, wanted["Arn"], ours)

    async def remove(self, aws: Aws, wanted: Properties) -> None:
        await found(aws, "sesv2", "delete_email_identity", EmailIdentity=self.name(wanted))


class ConfigurationSet(Kind):
    """What mail is sent with."""

    label = "configuration set"
    reads = ("ses:GetConfigurationSet",)
    makes = ("ses:CreateConfigurationSet", "ses:TagResource")
    removes = ("ses:DeleteConfigurationSet", "ses:GetConfigurationSetEventDestinations", "ses:ListResourceTenants")

    def name(self, wanted: Properties) -> str:
        return str(wanted["Name"])

    async def read(self, aws: Aws, wanted: Properties) -> Found | None:
        answer = await found(aws, "sesv2", "get_configuration_set", ConfigurationSetName=self.name(wanted))
        if answer is None:
            return None
        enabled = answer.get("SendingOptions", {}).get("SendingEnabled", True)
        return Found(tag_map(answer.get("Tags")), differs=() if enabled else ("sending with it is paused",))

    async def make(self, aws: Aws, wanted: Properties, tags: Tags) -> None:
        name = self.name(wanted)
        await aws.call("sesv2", "create_configuration_set", ConfigurationSetName=name, Tags=tag_list(tags))

    async def others(self, aws: Aws, wanted: Properties, ours: frozenset[str]) -> list[str]:
        destinations = await _destinations(aws, self.name(wanted)) or []
        names = [f"the event destination {each['Name']}" for each in destinations if each["Name"] not in ours]
        return names + await other_tenants(aws, wanted["Arn"], ours)

    async def remove(self, aws: Aws, wanted: Properties) -> None:
        await found(aws, "sesv2", "delete_configuration_set", ConfigurationSetName=self.name(wanted))


class EventDestination(Kind):
    """Where a configuration set publishes events."""

    label = "event destination"
    reads = ("ses:GetConfigurationSetEventDestinations",)
    makes = ("ses:CreateConfigurationSetEventDestination", "ses:UpdateConfigurationSetEventDestination")

    def name(self, wanted: Properties) -> str:
        return str(wanted["EventDestination"]["Name"])

    async def read(self, aws: Aws, wanted: Properties) -> Found | None:
        destinations = await _destinations(aws, wanted["ConfigurationSetName"]) or []
        if any(not _lacks(each, wanted) for each in destinations if _topic(each) == _wanted_topic(wanted)):
            return Found()
        named = next((each for each in destinations if each["Name"] == self.name(wanted)), None)
        if named is None:
            return None
        if _topic(named) != _wanted_topic(wanted):
            return Found(differs=(f"it publishes to {_topic(named) or 'something else than SNS'}",))
        return Found(lacks=tuple(_lacks(named, wanted)))

    async def make(self, aws: Aws, wanted: Properties, tags: Tags) -> None:  # noqa: ARG002 - of Kind
        await self._put(aws, "create", wanted, ())

    async def change(self, aws: Aws, wanted: Properties) -> None:
        destinations = await _destinations(aws, wanted["ConfigurationSetName"]) or []
        present = next(each for each in destinations if each["Name"] == self.name(wanted))
        await self._put(aws, "update", wanted, present["MatchingEventTypes"])

    async def _put(self, aws: Aws, verb: str, wanted: Properties, types: tuple[str, ...]) -> None:
        destination = {
            "Enabled": True,
            "MatchingEventTypes": list(dict.fromkeys([*types, *wanted["EventDestination"]["MatchingEventTypes"]])),
            "SnsDestination": {"TopicArn": _wanted_topic(wanted)},
        }
        await aws.call(
            "sesv2",
            f"{verb}_configuration_set_event_destination",
            ConfigurationSetName=wanted["ConfigurationSetName"],
            EventDestinationName=self.name(wanted),
            EventDestination=destination,
        )


async def _destinations(aws: Aws, configuration_set: str) -> list[dict[str, Any]] | None:
    operation = "get_configuration_set_event_destinations"
    answer = await found(aws, "sesv2", operation, ConfigurationSetName=configuration_set)
    return None if answer is None else answer.get("EventDestinations", [])


def _topic(destination: dict[str, Any]) -> str:
    return str(destination.get("SnsDestination", {}).get("TopicArn", ""))


def _wanted_topic(wanted: Properties) -> str:
    return str(wanted["EventDestination"]["SnsDestination"]["TopicARN"])


def _lacks(destination: dict[str, Any], wanted: Properties) -> list[Lack]:
    lacks = [] if destination.get("Enabled") else [Lack("it is disabled")]
    present = set(destination.get("MatchingEventTypes", ()))
    absent = [each for each in wanted["EventDestination"]["MatchingEventTypes"] if each not in present]
    return lacks + ([Lack(f"the event types {', '.join(absent)}")] if absent else [])
