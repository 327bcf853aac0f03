"""The DNS records, and whether a DNS server has them."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from email_consumer.aws_setup.dns_check import absent, resolver, wait_for
from email_consumer.aws_setup.dns_records import DnsRecord, dns_records, zone_file
from email_consumer.aws_setup.values import Account, Values
from tests.servers.dns import DnsServer
from tests.waiting import PATIENCE, until

_VALUES = Values(Account("aws", "eu-west-1", "1234"), {"Domain": "example.com", "Name": "shop"})
_RECORDS = dns_records(_VALUES, {"mail_from": "bounce.example.com", "tokens": ("abc", "def"), "zone": None})
_ZONE = """\
abc._domainkey.example.com. IN CNAME abc.dkim.amazonses.com.
def._domainkey.example.com. IN CNAME def.dkim.amazonses.com.
bounce.example.com. IN MX 10 feedback-smtp.eu-west-1.amazonses.com.
bounce.example.com. IN TXT "v=spf1 include:amazonses.com ~all"
_dmarc.example.com. IN TXT "v=DMARC1; p=none; rua=mailto:postmaster@example.com\""""


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    async with DnsServer() as found:
        yield found


def _put(server: DnsServer, *records: DnsRecord) -> None:
    for record in records:
        text = record.line.split(f" {record.type} ", 1)[1]
        server.records.setdefault((record.name, record.type), []).append(text)


def test_a_zone_file() -> None:
    assert zone_file(_RECORDS) == _ZONE


async def test_records_that_are_there_and_those_that_are_not(server: DnsServer) -> None:
    _put(server, *_RECORDS[1:4])
    server.records[_RECORDS[3].name, "TXT"] += ['"google-site-verification=x"']
    assert await absent(resolver(server.address), _RECORDS) == [_RECORDS[0], _RECORDS[4]]


async def test_other_values_do_not_count(server: DnsServer) -> None:
    server.records = {
        ("abc._domainkey.example.com", "CNAME"): ["other.dkim.amazonses.com."],
        ("def._domainkey.example.com", "TXT"): ['"def.dkim.amazonses.com"'],
        ("bounce.example.com", "MX"): ["10 feedback-smtp.us-east-1.amazonses.com."],
        ("bounce.example.com", "TXT"): ['"v=spf1 -all"'],
    }
    assert await absent(resolver(server.address), _RECORDS) == _RECORDS


async def test_a_dmarc_record_of_ones_own_is_as_good(server: DnsServer) -> None:
    _put(server, *_RECORDS[:4])
    server.records["_dmarc.example.com", "TXT"] = ['"v=DMARC1; p=reject"']
    assert await absent(resolver(server.address), _RECORDS) == []


async def test_a_name_in_capitals_and_a_text_in_parts_are_the_same(server: DnsServer) -> None:
    server.records["bounce.example.com", "TXT"] = ['"v=spf1 include:" "amazonses.com ~all"']
    server.records["abc._domainkey.example.com", "CNAME"] = ["ABC.DKIM.amazonses.com."]
    assert await absent(resolver(server.address), [_RECORDS[0], _RECORDS[3]]) == []


async def test_waiting_ends_when_the_last_record_is_there(server: DnsServer) -> None:
    waiting = asyncio.create_task(wait_for(resolver(server.address), _RECORDS, patience=PATIENCE, pause=0.01))

    async def asked() -> bool:
        return server.queries >= len(_RECORDS)

    await until(asked)
    _put(server, *_RECORDS[:4])
    assert await waiting == [_RECORDS[4]]  # which is only suggested


async def test_patience_has_an_end(server: DnsServer) -> None:
    _put(server, *_RECORDS[1:])
    assert await wait_for(resolver(server.address), _RECORDS, patience=0.05, pause=0.01) == [_RECORDS[0]]
