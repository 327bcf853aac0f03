"""What must hold at the end of every seed, whatever happened in it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from email_consumer.core.outcome import Sent, Stopped
from email_consumer.ledgers.row_changes import row_change
from email_consumer.message.address import normal_form
from email_consumer.message.model import UndecodableError, decode
from email_consumer.store.status import Status
from tests.simulation import claim_rules, events_out, holds
from tests.simulation.claims import Asked
from tests.simulation.injector import Faults
from tests.simulation.mails import Mail
from tests.simulation.ses.exchange import Accepted, Exchange
from tests.simulation.site import Site

_SPREADS = 3.0
"""Seconds until every worker knows what the sidecar answered, unless one is cut off."""
_ROWS = "SELECT *, (SELECT file FROM pragma_database_list WHERE name = 'main') AS file FROM email_requests"
_SHOWN = frozenset({"Send", "Delivery", "Bounce", "Complaint", "Open", "Click", "Reject", "DeliveryDelay"})


@dataclass(frozen=True, slots=True)
class _Evidence:
    """Everything about one mail."""

    mail: Mail
    accepted: list[Accepted]
    exchanges: list[Exchange]
    asked: list[Asked]
    stopped: list[Stopped]
    row: Any
    displaced: bool
    """Whether the row of its uuid belongs to another mail."""
    dead: list[str]
    """Kinds of its dead letters."""


def violations(site: Site, faults: Faults, environ: Mapping[str, str]) -> list[str]:
    """Everything that must not be; empty if all promises held."""
    found = [f"crash: {crash}" for crash in site.crashes]
    found += [f"unhandled: {error}" for error in site.world.unhandled]
    for member in site.installation.members.values():
        found += [f"{member.name} ended: {reason}" for reason in member.exits if reason.startswith("CRASH")]
    found += site.releases.violations()
    found += site.turns.found
    found += site.deliveries.found
    for evidence in _gathered(site):
        found += [
            f"mail {evidence.mail.number} ({evidence.mail.uuid}): {each}"
            for each in _of(evidence, site, faults, environ)
        ]
    found += _conflicts(site)
    found += _cancellations(site, faults, environ)
    found += holds.violations(site)
    found += _events(site)
    found += _history(site)
    found += events_out.violations(site)
    return found


def _gathered(site: Site) -> Iterator[_Evidence]:
    mails = site.history.by_address()
    accepted: defaultdict[str, list[Accepted]] = defaultdict(list)
    exchanges: defaultdict[str, list[Exchange]] = defaultdict(list)
    for each in (mail for mails in site.ses.accepted.values() for mail in mails):
        accepted[normal_form(each.recipients[0])].append(each)
    for exchange in (exchange for attempts in site.ses.exchanges.values() for exchange in attempts):
        exchanges[normal_form(exchange.request.recipients[0])].append(exchange)
    found = site.rows(_ROWS)
    if site.separate:  # the ledger that had the consumer last need not know what another one did
        found.sort(key=lambda row: (row["status"] == Status.SENT, row["status"] >= Status.SENT))
    rows = {normal_form(row["email"]): row for row in found}
    uuids = {row["uuid"] for row in rows.values()}
    dead = _dead_letters(site)
    for key, mail in mails.items():
        row, displaced = rows.get(key), key not in rows and mail.uuid in uuids
        asked, stopped = site.claims.of(mail.uuid, key), site.claims.stopped[mail.uuid, key]
        yield _Evidence(mail, accepted[key], exchanges[key], asked, stopped, row, displaced, dead[key])


def _dead_letters(site: Site) -> defaultdict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for kind, payload in site.deliveries.dead_letters:  # those included that somebody purged
        try:
            found[normal_form(decode(payload).email)].append(kind)
        except UndecodableError:
            found[""].append(kind)
    return found


def _of(evidence: _Evidence, site: Site, faults: Faults, environ: Mapping[str, str]) -> Iterator[str]:
    asked, exchanges, row = evidence.asked, evidence.exchanges, evidence.row
    yield from _not_lost(evidence, site)
    yield from _not_twice(evidence, site, faults, environ)
    yield from _row_is_true(evidence, site)
    yield from claim_rules.one_at_a_time(asked, environ, faults.jumped, separate=site.separate)
    yield from claim_rules.written_in_time(asked, exchanges)
    if not faults.claims_lost and not faults.leases_lost:
        yield from claim_rules.rightly_dead(evidence.dead, asked, exchanges)
    if row is not None:
        # Each loss may have made one of nothing.
        made = row["attempts"] - faults.claims_lost - faults.leases_lost
        yield from claim_rules.attempts(made, int(environ["MAX_ATTEMPTS"]), asked, exchanges)
    for change in site.history.suppressions:
        if change.address == evidence.mail.key and change.answered_at is not None:
            since = _known_since(change.answered_at, faults, environ)
            yield from claim_rules.stopped_in_time(change.address, since, asked, exchanges)


def _known_since(answered_at: float, faults: Faults, environ: Mapping[str, str]) -> float:
    """When everybody who sends certainly knows what was answered then."""
    return answered_at if environ["LEDGER"] == "sqlite" else max(answered_at + _SPREADS, faults.cut_until)


def _not_lost(evidence: _Evidence, site: Site) -> Iterator[str]:
    mail, row = evidence.mail, evidence.row
    if evidence.accepted or evidence.dead or mail.gone:
        return
    if row is None:
        # While the uuid's row belongs to another mail, the log alone says that this one was stopped.
        stopped = evidence.stopped if evidence.displaced else []
        if not any(_stopped_rightly(mail, row_change(each).error or "", site) for each in stopped):
            yield "lost: nobody has it"
    elif row["status"] != Status.STOPPED:
        yield f"lost: status {row['status']}, error {row['error']!r}, never accepted, no dead letter"
    elif not _stopped_rightly(mail, row["error"] or "", site):
        yield f"stopped without a reason that applies: {row['error']!r}"


def _stopped_rightly(mail: Mail, error: str, site: Site) -> bool:
    assert mail.given_at is not None
    if error.startswith("cancelled"):
        cancels = [each for each in site.history.cancellations if each.topic == mail.topic]
        return any(each.answered_at is None or mail.given_at <= each.answered_at for each in cancels)
    if error.startswith("suppressed"):
        bounced = {
            normal_form(address) for event in site.sns.published if event.kind != "Send" for address in event.recipients
        }
        return mail.key in bounced or any(each.address == mail.key for each in site.history.suppressions)
    return error.startswith("expired") and mail.expires_at is not None


def _not_twice(evidence: _Evidence, site: Site, faults: Faults, environ: Mapping[str, str]) -> Iterator[str]:
    grace = float(environ["IN_DOUBT_GRACE"])
    for first, second in zip(evidence.accepted, evidence.accepted[1:], strict=False):
        if environ["IN_DOUBT"] == "park":
            yield f"sent twice, at {first.at:.1f} and {second.at:.1f}, although mail in doubt is parked"
            continue
        known = [
            moment
            for event in site.sns.published
            if event.message_id == first.message_id
            for moment in event.delivered_at
            if moment < _claimed_at(evidence, second)
        ]
        waited = abs(_written_at(evidence, second) - _written_at(evidence, first))
        if known and not site.separate:  # another ledger may have been told
            yield f"sent twice, at {first.at:.1f} and {second.at:.1f}, although an event came at {known[0]:.1f}"
        elif waited < grace - faults.jumped:
            yield f"sent twice within {waited:.1f} s, the grace is {grace:g} s"


def _written_at(evidence: _Evidence, accepted: Accepted) -> float:
    """When the request was written: one that was under way for long may be accepted after the one that followed it."""
    written = [each.written_at for each in evidence.exchanges if each.arrived_at == accepted.at]
    return next((each for each in written if each is not None), accepted.at)


def _claimed_at(evidence: _Evidence, accepted: Accepted) -> float:
    """When the claim was asked for under which it was sent."""
    exchanges = [each for each in evidence.exchanges if each.arrived_at == accepted.at]
    asked = [
        each.at
        for each in evidence.asked
        for exchange in exchanges
        if each.granted_at and each.process is exchange.process and each.at <= exchange.began_at
    ]
    return max(asked, default=0.0)


def _row_is_true(evidence: _Evidence, site: Site) -> Iterator[str]:
    row, accepted = evidence.row, evidence.accepted
    if row is None:
        if accepted:
            yield "sent, and not in the tables"
        return
    if row["lane"] != evidence.mail.lane:
        yield f"its lane is {evidence.mail.lane}, and the tables say {row['lane']}"
    if accepted and row["status"] != Status.SENT and _heard_of(evidence, site):
        yield f"SES accepted it, and its status is {row['status']} ({row['error']!r})"
    if row["status"] == Status.SENT:
        if not accepted:
            yield "its status is Sent, and SES never accepted it"
        elif row["message_id"] not in {each.message_id for each in accepted}:
            yield f"its message id {row['message_id']} is not SES's"


def _heard_of(evidence: _Evidence, site: Site) -> bool:
    """Whether the program was told that SES accepted it, by SES's answer or by an event."""
    ids = {each.message_id for each in evidence.accepted}
    about = [each for each in site.sns.published if each.message_id in ids]
    by_event = any(each.delivered_at for each in about)
    if site.separate:  # by an event that came to the file of this row
        by_event = any(Path(evidence.row["file"]).parent.name in site.receivers.taken[each.body] for each in about)
    return by_event or any(isinstance(each.outcome, Sent) and each.recorded_at is not None for each in evidence.asked)


def _conflicts(site: Site) -> Iterator[str]:
    """Another mail under a uuid is only sent where nobody got the first one."""
    reached = {normal_form(each.recipients[0]) for mails in site.ses.accepted.values() for each in mails}
    for key in reached - set(site.history.by_address()):
        original = key.removeprefix("other-")
        if original in reached:
            yield f"{key} got a mail under the uuid of a mail that {original} got"


def _cancellations(site: Site, faults: Faults, environ: Mapping[str, str]) -> Iterator[str]:
    sent = {
        normal_form(each.request.recipients[0]): each
        for exchanges in site.ses.exchanges.values()
        for each in exchanges
        if each.verdict == "accepted"
    }
    for cancellation in site.history.cancellations:
        if cancellation.answered_at is None:
            continue
        # Who was cut off had yet to hear of it; then no number holds, and the answer says that it is not final.
        cut_off = cancellation.answered_at < faults.cut_until
        since = _known_since(cancellation.answered_at, faults, environ) if cut_off else cancellation.answered_at
        covered = [
            mail
            for mail in site.history.mails
            # Published again after it, it is another mail.
            if mail.topic == cancellation.topic and mail.stored and max(mail.stored) < cancellation.asked_at
        ]
        late = [
            mail
            for mail in covered
            if (exchange := sent.get(mail.key))
            and (exchange.arrived_at or 0.0) > since
            and not claim_rules.given_up_before(cancellation.asked_at, exchange, site.claims.of(mail.uuid, mail.key))
        ]
        if len(late) > cancellation.in_flight:
            yield (
                f"topic {cancellation.topic}: {len(late)} mails were sent after its cancellation at"
                f" {cancellation.answered_at:.1f}, which said {cancellation.in_flight} may be"
            )


def _events(site: Site) -> Iterator[str]:
    """Each event that was posted is in the tables once at most, and at least if it was taken."""
    wanted: Counter[tuple[str, str]] = Counter()
    taken: Counter[tuple[str, str]] = Counter()
    mails = site.history.by_address()
    for event in site.sns.published:
        if not event.never and event.instance == "simulated" and event.message_id:
            about = [(event.kind.partition(":")[0], normal_form(each)) for each in event.recipients]
            wanted.update(about)
            if event.delivered_at:
                taken.update(each for each in about if each[1] in mails)
    shown: Counter[tuple[str, str]] = Counter()
    for row in site.rows(
        "SELECT result.status, recipient FROM email_results AS result"
        " JOIN email_requests AS request ON request.id = request_id WHERE recipient <> ''"
    ):
        shown[row["status"], row["recipient"]] += 1
    if site.separate:  # each ledger shows what it was told
        return
    for key, count in shown.items():
        if key[0] in _SHOWN and count > wanted[key]:
            yield f"event {key} is shown {count} times, it happened {wanted[key]} times"
    for key, count in taken.items():
        if key[0] in _SHOWN and count > shown[key]:
            yield f"event {key} was taken {count} times, and is shown {shown[key]} times"


def _history(site: Site) -> Iterator[str]:
    """Each line of a mail's history is there once."""
    for row in site.rows(
        "SELECT uuid, outcome, count(*) AS times FROM email_attempts JOIN email_requests AS request"
        " ON request.id = request_id GROUP BY request_id, outcome, email_attempts.created_at HAVING times > 1"
    ):
        yield f"{row['outcome']} is {row['times']} times in the history of {row['uuid']}"
