"""Who is accused of what: the narrowest, and nobody else."""

from email_consumer.core.mail_group import MailGroup, MailReport
from email_consumer.holds.keys import ACCOUNT, BULK
from email_consumer.message.lane import Lane
from email_consumer.reputation.reputation import Reputation
from email_consumer.reputation.rule import Level, Outcomes
from tests.unit.reputation.test_rule import DEFAULTS

BAD = MailGroup("bad", "acme", Lane.BULK)
GOOD = MailGroup("good", "acme", Lane.BULK)
URGENT = MailGroup("urgent", None, Lane.TRANSACTIONAL)


def send(reputation: Reputation, group: MailGroup, mails: int, bounces: int, *, start: float = 0.0) -> None:
    """Evenly over a hundred seconds."""
    send_together(reputation, [group], mails, bounces, start=start)


def send_together(
    reputation: Reputation, groups: list[MailGroup], mails: int, bounces: int, *, start: float = 0.0
) -> None:
    """So many mails of each group."""
    for second in range(100):
        for group in groups:
            reputation.sent(group, start + second, mails // 100)
    for group in groups:
        for number in range(bounces):
            reputation.report(MailReport(group, start + 100 * number / bounces, bounced=True))


def stopped(reputation: Reputation, now: float = 100.0) -> list[str]:
    return [key for key, finding in reputation.check(now) if finding.level is Level.STOP]


def test_one_bad_topic_stops_itself_alone() -> None:
    reputation = Reputation(DEFAULTS)
    send(reputation, BAD, 2_000, 400)
    send(reputation, GOOD, 2_000, 20, start=100.0)  # a tenth of all bounced
    assert stopped(reputation) == ["topic:bad"]
    assert reputation.counts["account"].total == Outcomes(2_000, 20, 0)
    assert reputation.counts["tenant:acme"].total == Outcomes(2_000, 20, 0)


def test_its_late_events_accuse_nobody_else() -> None:
    reputation = Reputation(DEFAULTS)
    send(reputation, BAD, 2_000, 400)
    assert stopped(reputation) == ["topic:bad"]
    send(reputation, GOOD, 2_000, 20, start=100.0)
    for number in range(1_000):
        reputation.report(MailReport(BAD, float(number % 100), bounced=True))
    assert stopped(reputation) == []
    assert reputation.counts["account"].total == Outcomes(2_000, 20, 0)


def test_many_small_topics_accuse_their_tenant_or_all_bulk_mail() -> None:
    reputation = Reputation(DEFAULTS)
    send_together(reputation, [MailGroup(f"t-{number}", "acme", Lane.BULK) for number in range(20)], 100, 20)
    assert stopped(reputation) == ["tenant:acme"]
    others = [MailGroup(f"u-{number}", None, Lane.BULK) for number in range(20)]
    send_together(reputation, others, 100, 20, start=100.0)
    assert stopped(reputation, 200.0) == ["lane:bulk"]


def test_transactional_mail_counts_for_the_account_alone() -> None:
    reputation = Reputation(DEFAULTS)
    send(reputation, URGENT, 1_000, 200)
    assert stopped(reputation) == ["account"]
    assert set(reputation.counts) == {"account"}


def test_after_a_resume_only_later_mail_counts_and_it_may_stop_again() -> None:
    reputation = Reputation(DEFAULTS)
    send(reputation, BAD, 1_000, 200)
    assert stopped(reputation) == ["topic:bad"]
    reputation.resume("topic:bad", 150.0)
    for number in range(500):
        reputation.report(MailReport(BAD, float(number % 100), bounced=True))
    assert stopped(reputation, 160.0) == []
    send(reputation, BAD, 1_000, 10, start=200.0)
    assert stopped(reputation, 300.0) == []
    send(reputation, BAD, 1_000, 300, start=300.0)
    assert stopped(reputation, 400.0) == ["topic:bad"]


def test_what_is_stopped_is_not_found_again() -> None:
    reputation = Reputation(DEFAULTS)
    send(reputation, BAD, 1_000, 200)
    assert stopped(reputation) == ["topic:bad"]
    reputation.report(MailReport(BAD, 1.0, bounced=True))
    assert stopped(reputation) == []


def test_a_warning_names_the_key_and_the_rate() -> None:
    reputation = Reputation(DEFAULTS)
    send(reputation, GOOD, 10_000, 600)
    found = [(key, finding.level) for key, finding in reputation.check(100.0)]
    assert found == [(key, Level.WARN) for key in ("topic:good", "tenant:acme", "lane:bulk", "account")]


def test_the_topics_that_are_remembered_are_bounded() -> None:
    reputation = Reputation(DEFAULTS)
    for number in range(12_000):
        reputation.sent(MailGroup(str(number), None, Lane.BULK), float(number), 1)
    assert len(reputation.counts) <= 5_000
    assert reputation.counts["account"].total.sent == 12_000


def test_of_too_many_keys_those_are_forgotten_of_which_nothing_was_sent_for_longest() -> None:
    reputation = Reputation(DEFAULTS)
    for number in range(5_000):
        reputation.sent(MailGroup(f"t-{number}", None, Lane.BULK), float(number), 1)
    for number in range(5_000, 5_010):
        reputation.sent(MailGroup("t-5", None, Lane.BULK), float(number), 1)
        assert all(counts.total.sent for counts in reputation.counts.values())  # somebody looks at them
        reputation.sent(MailGroup(f"t-{number}", None, Lane.BULK), float(number), 1)
    assert len(reputation.counts) == 5_000
    assert reputation.counts["topic:t-5"].total.sent == 11
    assert {"topic:t-5009", BULK, ACCOUNT} <= reputation.counts.keys()
    assert "topic:t-12" not in reputation.counts


def test_what_was_resumed_by_a_clock_that_was_ahead_is_judged_again() -> None:
    reputation = Reputation(DEFAULTS)
    send(reputation, BAD, 2_000, 400)
    assert stopped(reputation) == ["topic:bad"]
    reputation.resume("topic:bad", 7 * 86_400.0)
    send(reputation, BAD, 2_000, 400, start=200.0)
    assert stopped(reputation, 300.0) == ["topic:bad"]
