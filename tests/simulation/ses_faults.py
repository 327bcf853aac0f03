"""Faults of SES and of the way to it."""

from tests.simulation.injector import Faults
from tests.simulation.ses import courses
from tests.simulation.ses.answers import FOREIGN
from tests.simulation.ses.courses import Course

_SOME = 3
_MOST_ATTEMPTS = 5
"""As in the settings of a scenario."""


def unusual_answers(faults: Faults) -> None:
    """For a while SES throttles, fails, or answers late, or something else answers in its place."""
    _answer(faults, {**_certain(), **_doubtful()}, faults.draw.choice((0.3, 1.0)))


def doubtful_answers(faults: Faults) -> None:
    """For a while many answers leave mail in doubt, too few in a row for an outage."""
    _answer(faults, _doubtful(), 0.5)


def _certain() -> dict[str, list[Course]]:
    return {
        "SES throttles": [courses.throttled()],
        "SES fails": [courses.refused("InternalFailure"), courses.refused("ServiceUnavailable")],
        "SES rejects": [courses.refused("MessageRejected")],
        "SES refuses connections": [courses.no_connection()],
    }


def _doubtful() -> dict[str, list[Course]]:
    return {
        "SES late": [courses.answered_late(8), courses.answered_late(40), courses.arrives_late(40)],
        "SES silent": [courses.lost(), courses.unanswered()],
        "SES cut": [courses.cut_before(), courses.cut_after(), courses.unreadable()],
        "proxy answers": [courses.foreign(name, decided=decided) for name in FOREIGN for decided in (False, True)],
    }


def _answer(faults: Faults, kinds: dict[str, list[Course]], share: float) -> None:
    kind, found = faults.draw.choice(list(kinds.items()))
    faults.hit(kind, faults.site.installation.processes)
    weights = {course: share / len(found) for course in found} | {courses.usual(): 1.001 - share}
    faults.site.ses.behave(weights)
    faults.until_over(faults.draw.choice((2.0, 10.0, 40.0)), faults.site.ses.behave)


def fail_some_mail(faults: Faults) -> None:
    """SES rejects a few mails, or fails for them again and again, and for no other: no outage, so their attempts count."""
    mails = [mail.uuid for mail in faults.site.history.mails if mail.uuid and mail.uuid not in faults.site.ses.accepted]
    faults.hit("SES fails some mail", faults.site.installation.processes)
    code = faults.draw.choice(("InternalFailure", "MessageRejected"))
    for uuid in faults.draw.sample(mails, min(len(mails), _SOME)):
        faults.site.ses.script(uuid, *[courses.refused(code)] * _MOST_ATTEMPTS)


def credentials_expire(faults: Faults) -> None:
    """AWS refuses the credentials until new ones are found."""
    faults.hit("credentials expired", faults.site.installation.processes)
    faults.site.ses.account.expire_credentials(renewed_after=faults.draw.choice((1.0, 30.0)))


def pause_account(faults: Faults) -> None:
    """SES pauses the account, or its quota is used up, for a while."""
    account = faults.site.ses.account
    if faults.draw.random() < 0.5:
        faults.hit("account paused", faults.site.installation.processes)
        account.sending_enabled = False
        faults.until_over(faults.draw.choice((5.0, 40.0)), lambda: setattr(account, "sending_enabled", True))
    else:
        faults.hit("quota used up", faults.site.installation.processes)
        account.quota.limit = account.quota.used
        faults.until_over(faults.draw.choice((5.0, 40.0)), lambda: setattr(account.quota, "limit", -1))


def cut_off_ses(faults: Faults) -> None:
    """A process can't reach SES, nor be reached by its answers."""
    member = faults.anyone()
    if member.process:
        faults.hit("SES unreachable", [member.process])
        faults.site.ses.cut_off.add(member.name)
        faults.until_over(faults.draw.choice((2.0, 40.0)), lambda: faults.site.ses.cut_off.discard(member.name))
