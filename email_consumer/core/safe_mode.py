"""Safe mode: which addresses may get mail from this installation. For staging on a real SES account."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from email_consumer.message.address import address_or_domain, is_listed, normal_form
from email_consumer.message.fields import MAX_HEADERS
from email_consumer.message.model import EmailMessage

HEADER = "X-Original-Recipients"
"""On redirected mail: everybody it was for."""
STOPPED = "safe mode; not in RECIPIENT_ALLOWLIST"
"""Why a recipient got nothing."""
SIMULATOR = "simulator.amazonses.com"
"""SES's mailbox simulator, which is nobody: `doctor --send` writes to it."""
_LONGEST_VALUE = 900
"""Characters of the header's value, well below what SES takes."""

Kind = Literal["off", "stop", "redirect"]
"""What happens to mail for others than the allowed addresses."""


@dataclass(frozen=True, slots=True)
class SafeMode:
    """The rule. Mail for allowed addresses is sent as usual; other mail is stopped, or goes to one address."""

    allowed: frozenset[str]
    """Addresses in normal form, and domains with a leading `@`."""
    redirect_to: str | None = None
    """Where mail for all others goes; None: it is stopped."""

    @classmethod
    def of(cls, allowlist: Iterable[str], redirect_to: str | None) -> "SafeMode | None":
        """As RECIPIENT_ALLOWLIST and REDIRECT_ALL_TO say; None if neither is set.

        Raises:
            ValueError: an entry is neither an address nor a domain.
        """
        entries = {address_or_domain(text) for text in allowlist}
        if not entries and not redirect_to:
            return None
        entries.add(f"@{SIMULATOR}")
        if redirect_to:
            entries.add(normal_form(redirect_to))
        return cls(frozenset(entries), redirect_to)

    @property
    def kind(self) -> Kind:
        return "redirect" if self.redirect_to else "stop"

    def allows(self, address: str) -> bool:
        """Whether mail to the address goes out unchanged; the address may be of the form `Name <address>`."""
        return is_listed(address, self.allowed)

    def stops(self, message: EmailMessage) -> bool:
        """Whether the mail must not go out at all: its recipient is not allowed, and nobody gets it instead."""
        return not self.redirect_to and not self.allows(message.email)

    def others(self, message: EmailMessage) -> tuple[str, ...]:
        """The recipients, cc and bcc included, that must not get the mail."""
        return tuple(each for each in (message.email, *message.cc, *message.bcc) if not self.allows(each))

    def confined(self, message: EmailMessage) -> EmailMessage:
        """The mail without the recipients that must not get it; the address for redirected mail stands in for them.

        Raises:
            ValueError: nobody is left who may get it.
        """
        others = self.others(message)
        if not others:
            return message
        cc = tuple(each for each in message.cc if each not in others)
        bcc = tuple(each for each in message.bcc if each not in others)
        if self.redirect_to is None:
            if message.email in others:
                raise ValueError(STOPPED)
            return message.model_copy(update={"cc": cc, "bcc": bcc})
        instead = normal_form(self.redirect_to)
        email = self.redirect_to if message.email in others else message.email
        cc, bcc = (tuple(each for each in copies if normal_form(each) != instead) for copies in (cc, bcc))
        if normal_form(email) != instead:
            cc = (*cc, self.redirect_to)
        return message.model_copy(update={"email": email, "cc": cc, "bcc": bcc, "headers": _headers(message)})


def _headers(message: EmailMessage) -> dict[str, str]:
    """Those of the mail and ours. Where SES takes no more, the mail's last one gives way: who it was for matters more."""
    room = MAX_HEADERS - 2 - (2 if message.list_unsubscribe else 0)
    own = [(name, value) for name, value in message.headers.items() if name.lower() != HEADER.lower()]
    return {**dict(own[:room]), HEADER: _original_recipients(message)}


def _original_recipients(message: EmailMessage) -> str:
    kinds = [("to", message.email), *(("cc", each) for each in message.cc), *(("bcc", each) for each in message.bcc)]
    names = [f"{kind} {normal_form(address)}" for kind, address in kinds]
    shown = len(names)
    while len(", ".join(names[:shown])) > _LONGEST_VALUE:
        shown -= 1
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more else "")
