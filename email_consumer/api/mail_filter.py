"""What a list of mail is narrowed by, and the index that finds it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Annotated, Any

from pydantic import Field

from email_consumer.api import statements
from email_consumer.message.address import normal_form
from email_consumer.message.lane import Lane
from email_consumer.message.times import parse_time
from email_consumer.store.mail_state import INCIDENTS, STATUS_OF, MailState
from email_consumer.web.routing import ApiError, RequestModel

_CREATED = (MailState.QUEUED, MailState.SCHEDULED)
_IN_PROCESS = (MailState.SENDING, MailState.IN_DOUBT)


class MailFilter(RequestModel):
    """All that is given must apply."""

    topic_id: Annotated[str, Field(max_length=256)] = ""
    """The topic."""
    state: MailState | None = None
    """What became of the mail for its recipient."""
    lane: Lane | None = None
    """The lane; mail that names none is bulk."""
    tenant: Annotated[str, Field(max_length=64)] = ""
    """The tenant."""
    email: Annotated[str, Field(max_length=320)] = ""
    """The recipient's address; mail that it received as cc or bcc is not listed."""
    domain: Annotated[str, Field(max_length=255)] = ""
    """All after the @ of the recipient's address."""
    since: Annotated[str, Field(max_length=64)] = ""
    """Created at this moment or later; RFC 3339, a naive time is read in TIMEZONE."""
    until: Annotated[str, Field(max_length=64)] = ""
    """Created before this moment."""


@dataclass(frozen=True, slots=True)
class Search:
    """SQL that finds ids of mail, its parameter, and what the mail is checked for then."""

    ids: str
    value: str | None
    checked: Mapping[str, Any]
    """Parameters of `statements.LISTED`."""
    state: MailState | None


def search(wanted: MailFilter, zone: tzinfo) -> Search:
    """The best way to find it; `zone` is for naive times.

    Raises:
        ApiError: 422 no address or domain, 400 no time.
    """
    address = _normal(wanted.email, "email") if wanted.email else None
    # The normal form of a domain is that of an address there.
    domain = _normal(f"x@{wanted.domain.strip()}", "domain").rpartition("@")[2] if wanted.domain else None
    checked = {
        "status": STATUS_OF.get(wanted.state) if wanted.state else None,
        "topic_id": wanted.topic_id or None,
        "address": address,
        "domain": domain,
        "lane": wanted.lane,
        "tenant": wanted.tenant or None,
        "since": _moment(wanted.since, zone, "since", -math.inf),
        "until": _moment(wanted.until, zone, "until", math.inf),
    }
    return Search(*_index(wanted, address, domain), checked, wanted.state)


def _index(wanted: MailFilter, address: str | None, domain: str | None) -> tuple[str, str | None]:
    """The statement and its parameter."""
    if address is not None:
        return statements.IDS_BY_ADDRESS, address
    if wanted.state in INCIDENTS:
        by_topic = statements.IDS_BY_INCIDENT_OF_TOPIC if wanted.topic_id else statements.IDS_BY_INCIDENT
        return by_topic, wanted.state
    if wanted.state in _IN_PROCESS:
        return statements.IDS_IN_PROCESS, None
    if wanted.state in _CREATED:
        return statements.IDS_CREATED_OF_TOPIC if wanted.topic_id else statements.IDS_CREATED, None
    if wanted.topic_id:
        return statements.IDS_BY_TOPIC, wanted.topic_id
    if domain is not None:
        return statements.IDS_BY_DOMAIN, domain
    return statements.IDS, None


def _normal(address: str, field: str) -> str:
    try:
        return normal_form(address)
    except ValueError:
        kind = "an e-mail address" if field == "email" else "a domain"
        raise ApiError(422, "invalid", f"{field}: not {kind}", {"fields": [field]}) from None


def _moment(text: str, zone: tzinfo, field: str, absent: float) -> float:
    if not text:
        return absent
    try:
        moment = parse_time(text, zone)
    except ValueError as error:
        raise ApiError(400, "bad_time", f"{field} {error}.", {"fields": [field]}) from None
    return absent if moment is None else moment.timestamp()
