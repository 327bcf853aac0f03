"""Whether the DNS has the records."""

import asyncio
import time
from collections.abc import Iterable

import dns.asyncresolver
from dns.exception import DNSException
from dns.rdtypes.ANY.TXT import TXT

from email_consumer.aws_setup.dns_records import DnsRecord
from email_consumer.runtime.errors import OperatorError

_LIFETIME = 5.0
"""Seconds that a query may take."""


class ResolverError(OperatorError):
    """There is no such DNS server."""


def resolver(server: str | None) -> dns.asyncresolver.Resolver:
    """That of this machine, or one that asks `server`: an IP address, after an IPv4 one a port may follow.

    Raises:
        ResolverError: it is no IP address, or this machine has no DNS server.
    """
    try:
        if server is None:
            return dns.asyncresolver.Resolver()
        host, _, port = (server, "", "") if server.count(":") > 1 else server.partition(":")
        found = dns.asyncresolver.Resolver(configure=False)
        found.nameservers, found.port = [host], int(port or 53)
    except (DNSException, ValueError) as error:
        raise ResolverError(f"no DNS server to ask: {error}") from error
    return found


async def absent(asked: dns.asyncresolver.Resolver, records: Iterable[DnsRecord]) -> list[DnsRecord]:
    """Those that the DNS does not have; of one that is suggested, any text of its kind will do."""
    wanted = list(records)
    present = await asyncio.gather(*(_has(asked, record) for record in wanted))
    return [record for record, there in zip(wanted, present, strict=True) if not there]


async def wait_for(
    asked: dns.asyncresolver.Resolver, records: Iterable[DnsRecord], *, patience: float, pause: float
) -> list[DnsRecord]:
    """Ask again every `pause` seconds until all are there or `patience` seconds are over; return what is still absent.

    Records that are only suggested are not waited for.
    """
    end = time.monotonic() + patience
    missing = await absent(asked, records)
    while any(not record.suggested for record in missing) and time.monotonic() + pause <= end:
        await asyncio.sleep(pause)
        missing = await absent(asked, missing)
    return missing


async def _has(asked: dns.asyncresolver.Resolver, record: DnsRecord) -> bool:
    try:
        answer = await asked.resolve(f"{record.name}.", record.type, lifetime=_LIFETIME, raise_on_no_answer=False)
    except DNSException:
        return False
    return any(_is(record, rdata) for rdata in answer)


def _is(record: DnsRecord, rdata: object) -> bool:
    if isinstance(rdata, TXT):
        text = b"".join(rdata.strings).decode(errors="replace")
        kind = record.value.partition(";")[0]
        return text.startswith(kind) if record.suggested else text == record.value
    return str(rdata).rstrip(".").lower() == record.value.lower()
