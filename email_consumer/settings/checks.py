"""What a value must look like: one function a kind of value, each error worded for the person who set it."""

import ipaddress
import re
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import nkeys  # type: ignore[import-untyped]

from email_consumer.core.tenant_limits import OTHERS
from email_consumer.message.address import address_or_domain, parse_address
from email_consumer.message.fields import is_tenant
from email_consumer.observe.level import LogFilter
from email_consumer.sns.topic_arn import TopicArn

_LONGEST_NAME = 200
"""Of streams and consumers: nats-server creates files with these names, with its suffixes and ours."""
_NATS_SCHEMES = {"nats", "tls", "ws", "wss"}
_DELIVERY_LIMIT = re.compile(r"(?P<seconds>\d{3,5})\s*:\s*(?P<name>[A-Za-z0-9_-]{1,64})")
_DELIVERY_SECONDS = range(300, 50_401)
"""What SES accepts as `MaxDeliverySeconds`."""
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+){1,3}-\d{1,2}")


def allowed_recipients(value: object) -> object:
    """The entries of an allow list. One that names nobody is an error: it would switch safe mode off without a word."""
    if value is None:
        return ()
    entries = split(value)
    if not entries or not isinstance(entries, tuple):
        raise ValueError("names nobody; leave it out to send to everybody")
    return tuple(address_or_domain(entry) for entry in entries)


def split(value: object) -> object:
    """Comma-separated text as a tuple; empty parts are dropped."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def delivery_limits(value: object) -> object:
    """Configuration sets by the longest time, in seconds, for which SES tries to deliver their mail."""
    if not isinstance(value, str):
        return value
    sets: dict[int, str] = {}
    for part in value.split(","):
        parsed = _DELIVERY_LIMIT.fullmatch(part.strip())
        if parsed is None or int(parsed["seconds"]) not in _DELIVERY_SECONDS:
            raise ValueError("must be seconds (300 to 50400) and configuration sets, such as 300:codes,3600:resets")
        if int(parsed["seconds"]) in sets:
            raise ValueError(f"names two configuration sets for {parsed['seconds']} s")
        sets[int(parsed["seconds"])] = parsed["name"]
    return tuple(sets.items())


def share(value: object) -> object:
    """A share such as 0.04, or the same in percent, `4%`."""
    if not isinstance(value, str) or not value.endswith("%"):
        return value
    try:
        return float(value[:-1]) / 100
    except ValueError:
        raise ValueError("is not a share such as 4% or 0.04") from None


def ramp(value: object) -> object:
    """Sender domains and their first days."""
    if not isinstance(value, str):
        return value
    found: dict[str, date] = {}
    for part in value.split(","):
        domain, _, day = part.strip().partition(":")
        try:
            first = date.fromisoformat(day)
            found[parse_address(f"anybody@{domain}").domain.lower()] = first
            first + timedelta(days=366)  # as long as a curve may be
        except (ValueError, OverflowError):
            raise ValueError("must be domains and their first days, such as news.example.com:2027-01-31") from None
    return tuple(found.items())


def by_tenant(value: object) -> object:
    """Tenants and a number for each; `*` stands for all others."""
    if not isinstance(value, str):
        return value
    found: dict[str, str] = {}
    for part in value.split(","):
        tenant, _, number = (text.strip() for text in part.partition(":"))
        if not (tenant == OTHERS or is_tenant(tenant)) or not number:
            raise ValueError("must be tenants and numbers, such as acme:20,*:5; * stands for all others")
        if tenant in found:
            raise ValueError(f"names {tenant} twice")
        found[tenant] = number
    return tuple(found.items())


def address(value: str) -> str:
    parse_address(value)
    return value


def color(value: str) -> str:
    """Without the number sign, which starts a comment in some files of variables."""
    digits = value.removeprefix("#")
    if not re.fullmatch(r"[0-9A-Fa-f]{6}", digits):
        raise ValueError("is not a colour of six hexadecimal digits, such as 0b57d0")
    return digits


def one_line(value: str | None) -> str | None:
    if value is not None and not value.isprintable():
        raise ValueError("contains a line break or another control character")
    return value


def ip_address(value: str | None) -> str | None:
    if value is not None:
        try:
            ipaddress.ip_address(value)
        except ValueError:
            raise ValueError("is not an IP address, such as 127.0.0.1") from None
    return value


def region(value: str) -> str:
    if not _REGION.fullmatch(value):
        raise ValueError("is not an AWS region, such as eu-west-1")
    return value


def http_url(value: str) -> str:
    parts = _parsed(value)
    if parts is None or parts.scheme not in {"http", "https"} or parts.query or parts.fragment:
        raise ValueError("must be a URL such as https://mail.example.com")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user or password")
    return value.rstrip("/")


def standard_queue(url: str) -> str:
    if url.endswith(".fifo"):
        raise ValueError("a FIFO queue can't be a source: a mail that waits to be tried again holds up its group")
    return url


def nats_urls(values: tuple[str, ...]) -> tuple[str, ...]:
    schemes = set()
    for value in values:
        parts = _parsed(value if "://" in value else f"nats://{value}")
        if parts is None or parts.scheme not in _NATS_SCHEMES:
            raise ValueError("must be URLs such as nats://127.0.0.1:4222 (also tls://, ws:// or wss://)")
        schemes.add(parts.scheme.startswith("ws"))
    if len(schemes) > 1:
        raise ValueError("can't mix WebSocket URLs (ws://, wss://) with others")
    return values


def _parsed(value: str) -> SplitResult | None:
    """None where it is no URL with a host, or its port is no port."""
    if any(character.isspace() or not character.isprintable() for character in value):
        return None
    try:
        parts = urlsplit(value)
        usable = parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if usable else None


def log_filter(value: str) -> str:
    LogFilter.parse(value)
    return value


def topic_arns(values: tuple[str, ...]) -> tuple[str, ...]:
    for arn in values:
        try:
            TopicArn.parse(arn)
        except ValueError as error:
            raise ValueError(f"{arn!r} {error}") from None
    return values


def nats_name(value: str) -> str:
    if not value or any(not character.isprintable() or character in " .*>/\\" for character in value):
        raise ValueError("must not be empty or contain spaces, dots, slashes, '*' or '>'")
    if len(value.encode()) > _LONGEST_NAME:
        raise ValueError(f"must be at most {_LONGEST_NAME} bytes long")
    return value


def is_subject_of(stream: str, subject: str) -> bool:
    """Whether it is `<stream>.<name>`, where `*` and a final `>` may stand for parts of the name."""
    prefix, *parts = subject.split(".")
    return (
        prefix == stream
        and bool(parts)
        and all(part and part.isprintable() and (part in {"*", ">"} or not set(" *>") & set(part)) for part in parts)
        and ">" not in parts[:-1]
    )


def readable_file(value: Path) -> Path:
    try:
        with value.open("rb"):
            return value
    except OSError as error:
        raise ValueError(f"can't be read: {error.strerror}") from None


def not_a_directory(value: Path) -> Path:
    if value.is_dir():
        raise ValueError("is a directory; name a file")
    return value


def nkey_seed(value: str) -> str:
    try:
        nkeys.from_seed(bytearray(value.strip().encode()))
    except (nkeys.NkeysError, ValueError):
        raise ValueError("is not the seed of an nkey, which begins with SU") from None
    return value


def sentry_dsn(value: str) -> str:
    from sentry_sdk.utils import BadDsn, Dsn  # noqa: PLC0415 - slow to import, and few have one

    try:
        Dsn(value)
    except (BadDsn, ValueError):
        raise ValueError("is not a Sentry DSN, such as https://key@sentry.example.com/1") from None
    return value


def api_keys(values: tuple[str, ...]) -> tuple[str, ...]:
    for key in values:
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError("a key is of visible ASCII characters alone: others can't stand in a header")
    return values
