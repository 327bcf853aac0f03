"""`message.anymail_status`, with the attributes that code written for django-anymail reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from email_consumer_client.answers import Accepted


@dataclass(frozen=True, slots=True)
class RecipientStatus:
    message_id: str | None
    """The mail's uuid in email_consumer; None if it was refused."""
    status: str
    """`queued` or `invalid`."""


@dataclass(frozen=True, slots=True)
class AnymailStatus:
    """What became of a message that was sent. `queued`: on the installation's disk; webhooks tell the rest."""

    message_id: str | set[str | None] | None
    """The mail's uuid; a set of them if there are several recipients, each of whom gets a separate mail."""
    status: set[str]
    recipients: Mapping[str, RecipientStatus] = field(default_factory=dict)
    """By address, as the message has it without a display name."""
    esp_response: Accepted | None = None

    @classmethod
    def of(cls, addresses: Sequence[str], accepted: Accepted) -> "AnymailStatus":
        """`addresses`: bare ones, in the order of `accepted.ids`."""
        recipients = {
            address: RecipientStatus(uuid, "queued" if uuid else "invalid")
            for address, uuid in zip(addresses, accepted.ids, strict=True)
        }
        ids = set(accepted.ids)
        only = next(iter(ids)) if len(ids) == 1 else None
        return cls(only if len(ids) == 1 else ids, {each.status for each in recipients.values()}, recipients, accepted)
