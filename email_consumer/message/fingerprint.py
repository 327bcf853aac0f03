"""What a uuid stood for, in sixteen bytes: whom the mail went to, and what it said.

The same uuid for the same recipients is a mail that its publisher published again, perhaps rendered again; for other
recipients it is another mail, which must not be taken for a duplicate. Hashes are signed, as SQLite keeps integers.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

from email_consumer.message.address import normal_form

_UNSIGNED = 2**64 - 1


class Fingerprint(NamedTuple):
    recipients: int
    """Of all addresses, whether to, cc or bcc, in whatever order and spelling."""
    content: int
    """Of what SES would get but for the recipients."""

    def __str__(self) -> str:
        return ":".join(f"{part & _UNSIGNED:016x}" for part in self)


def recipients_hash(email: str, copies: Iterable[str]) -> int:
    """Of a mail's to, and of its cc and bcc together; all of them valid addresses."""
    address = normal_form(email)
    return short_hash("\n".join(sorted({address, *map(normal_form, copies)})) if copies else address)


def address_hash(address: str) -> str:
    """Sixteen hexadecimal digits, the same however the address is written."""
    return blake2b(normal_form(address).encode(), digest_size=8).hexdigest()


def short_hash(text: str) -> int:
    """Eight bytes: that one text is taken for another happens once in 2^64."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), signed=True)
