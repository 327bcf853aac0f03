"""What becomes of each recipient, by the addresses of SES's mailbox simulator.

Source: https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html#send-email-simulator
"""

from collections.abc import Container
from enum import Enum, auto

_DOMAIN = "simulator.amazonses.com"


class Fate(Enum):
    """How the mail to one recipient ends."""

    DELIVERED = auto()
    BOUNCED = auto()
    """`bounce@`: SMTP 550 5.1.1, a permanent bounce."""
    COMPLAINED = auto()
    """`complaint@`: delivered, then marked as spam."""
    OUT_OF_OFFICE = auto()
    """`ooto@`: delivered; the automatic answer comes back as a transient bounce, which must not suppress anyone."""
    SUPPRESSED = auto()
    """`suppressionlist@`, or on the account's suppression list: accepted, not delivered, bounced by SES itself."""


_FATES = {
    "bounce": Fate.BOUNCED,
    "complaint": Fate.COMPLAINED,
    "ooto": Fate.OUT_OF_OFFICE,
    "suppressionlist": Fate.SUPPRESSED,
}


def fate_of(address: str, suppressed: Container[str]) -> Fate:
    """What becomes of a bare address; simulator addresses may carry a `+label`."""
    address = address.lower()
    if address in suppressed:
        return Fate.SUPPRESSED
    local, _, domain = address.rpartition("@")
    return _FATES.get(local.partition("+")[0], Fate.DELIVERED) if domain == _DOMAIN else Fate.DELIVERED
