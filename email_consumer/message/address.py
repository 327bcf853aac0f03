"""One e-mail address: parsed, checked, and brought into the form that SES accepts.

SES v2 wants ASCII: an ASCII local part, a punycode domain, and an RFC 2047 encoded display name
(https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Destination.html).
"""

import re
import unicodedata
from collections.abc import Container
from dataclasses import dataclass
from email.utils import formataddr
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from email_consumer.message.encoded_words import encoded_words

_MAX_LENGTH = 320
# The overwhelmingly common case, decided without the full parser: it costs 0.5 µs in place of 30 µs.
_PLAIN = re.compile(
    r"(?=.{1,254}$)[A-Za-z0-9_+-]{1,64}(?:\.[A-Za-z0-9_+-]{1,64})*@"
    r"(?:(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}|localhost)"  # localhost: the default sender
)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_NOT_IN_A_BARE_NAME = frozenset('"<>,;:')
_MAX_LOCAL_PART = 64


@dataclass(frozen=True, slots=True)
class Address:
    """`display_name` may be empty; `addr_spec` is ASCII with its domain in punycode and lower case."""

    display_name: str
    addr_spec: str

    def __str__(self) -> str:
        """As SES takes it: pure ASCII, the display name quoted or encoded where it must be."""
        if not self.display_name:
            return self.addr_spec
        if self.display_name.isascii():
            return formataddr((self.display_name, self.addr_spec))
        return f"{encoded_words(self.display_name)} <{self.addr_spec}>"

    @property
    def domain(self) -> str:
        return self.addr_spec.rpartition("@")[2]


@lru_cache(maxsize=1024)  # a mail's address is read twice: when the mail is checked, and when it is sent
def parse_address(text: str) -> Address:
    """Read a bare address or `Name <address>`.

    Raises:
        ValueError: it is not one e-mail address that SES could take; the text says why and never repeats the address.
    """
    if len(text) > _MAX_LENGTH:
        raise ValueError(f"is longer than {_MAX_LENGTH} characters")
    if _PLAIN.fullmatch(text) and text.index("@") <= _MAX_LOCAL_PART:
        local, _, domain = text.rpartition("@")
        return Address("", f"{local}@{domain.lower()}")
    if any(ord(character) < 32 or ord(character) == 127 for character in text):  # noqa: PLR2004 - the control characters
        raise ValueError("contains a control character")
    display_name, addr_spec = _split(text)
    if display_name:
        return Address(display_name, parse_address(addr_spec).addr_spec)
    return Address("", _full_check(addr_spec))


def normal_form(text: str) -> str:
    """The one form in which addresses are stored and compared, however they were written: `anna@xn--bcher-kva.example`.

    No display name, a punycode domain, everything in lower case, no quotes that the local part doesn't need. Two local
    parts that differ in case alone are two mailboxes by RFC 5321, and one everywhere in practice.

    Raises:
        ValueError: it is not one e-mail address; the text says why and never repeats the address.
    """
    try:
        address = parse_address(text)
    except ValueError:
        # Full-width letters, as an input method types them.
        folded = unicodedata.normalize("NFKC", text) if len(text) <= _MAX_LENGTH else text
        if folded == text:
            raise
        address = parse_address(folded)
    return address.addr_spec.lower()


def address_or_domain(text: str) -> str:
    """An entry of a list of addresses and domains, in the form that `is_listed` compares: domains have a leading `@`.

    Raises:
        ValueError: it is neither an address nor a domain, with or without `@`.
    """
    local, _, domain = text.rpartition("@")
    if local:
        return normal_form(text)
    try:
        return normal_form(f"anybody@{domain}").removeprefix("anybody")
    except ValueError:
        raise ValueError(f"{text!r} is neither an address nor a domain such as example.com") from None


def is_listed(text: str, entries: Container[str]) -> bool:
    """Whether the address, which may be of the form `Name <address>`, or its domain is among the entries."""
    address = normal_form(text)
    return address in entries or address[address.rindex("@") :] in entries


def _split(text: str) -> tuple[str, str]:
    if "<" not in text:
        return "", text.strip()
    name, _, rest = text.strip().rpartition("<")
    addr_spec, closed, after = rest.partition(">")
    name = name.strip()
    quoted = _QUOTED.fullmatch(name)
    if not addr_spec or not closed or after or not (quoted or _NOT_IN_A_BARE_NAME.isdisjoint(name)):
        raise ValueError("is neither an e-mail address nor of the form Name <address>")
    return re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else name, addr_spec.strip()


def _full_check(addr_spec: str) -> str:
    try:
        checked = validate_email(
            addr_spec,
            check_deliverability=False,
            allow_smtputf8=False,
            test_environment=True,
            allow_quoted_local=True,
            strict=True,
        )
    except EmailNotValidError as error:
        raise ValueError(f"is not an e-mail address: {error}") from None
    if checked.ascii_email is None:
        raise ValueError("has a non-ASCII part before the @, which SES does not take")
    return checked.ascii_email
