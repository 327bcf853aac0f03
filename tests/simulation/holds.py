"""What must hold of mail while it is held."""

from collections.abc import Iterator
from math import inf

from email_consumer.message.address import normal_form
from tests.simulation.site import Site

_ON_ITS_WAY = 60.0
"""Seconds until a mail that had been claimed has reached SES, or is not sent after all."""


def violations(site: Site) -> Iterator[str]:
    """With the store in another process, what was on its way to a worker may take as long as an outage."""
    if site.separate or len(site.installation.members) > 1:
        return
    mails = site.history.by_address()
    for exchange in (exchange for exchanges in site.ses.exchanges.values() for exchange in exchanges):
        mail, at = mails.get(normal_form(exchange.request.recipients[0])), exchange.arrived_at or 0.0
        for hold in site.history.holds:
            since = hold.answered_at
            if mail is None or since is None or not hold.covers(mail):
                continue
            until = min((each.resumed_at or 0.0 for each in site.history.holds if each.ends(hold)), default=inf)
            if since + _ON_ITS_WAY < at < until:
                yield f"mail {mail.number}: was sent at {at:.1f}, held by {hold.key} from {since:.1f} to {until:.1f}"
