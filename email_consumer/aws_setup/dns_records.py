"""The DNS records that prove the domain and let mail pass as its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from email_consumer.aws_setup.values import Values


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """One record."""

    name: str
    """Without the final dot."""
    type: str
    value: str
    """As in a zone file, without the final dot of a name; texts are not quoted."""
    suggested: bool = False
    """Yours to decide: one that is there already is as good."""

    @property
    def line(self) -> str:
        """As in a zone file."""
        value = f'"{self.value}"' if self.type == "TXT" else f"{self.value}."
        return f"{self.name}. IN {self.type} {value}"


def dns_records(values: Values, identity: Mapping[str, Any]) -> list[DnsRecord]:
    """All records; `identity` has the details of the identity that SES has."""
    domain, region = values.parameters["Domain"], values.account.region
    zone = identity["zone"] or "dkim.amazonses.com"
    records = [DnsRecord(f"{token}._domainkey.{domain}", "CNAME", f"{token}.{zone}") for token in identity["tokens"]]
    if mail_from := identity["mail_from"]:
        records += [
            DnsRecord(mail_from, "MX", f"10 feedback-smtp.{region}.amazonses.com"),
            DnsRecord(mail_from, "TXT", "v=spf1 include:amazonses.com ~all"),
        ]
    return [
        *records,
        DnsRecord(f"_dmarc.{domain}", "TXT", f"v=DMARC1; p=none; rua=mailto:postmaster@{domain}", suggested=True),
    ]


def zone_file(records: Sequence[DnsRecord]) -> str:
    """The records as lines of a zone file."""
    return "\n".join(record.line for record in records)
