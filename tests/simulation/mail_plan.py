"""Plans which mails there are, when they are published or posted, and what people do meanwhile."""

from dataclasses import replace
from random import Random
from typing import Literal

from email_consumer.message.lane import Lane
from tests.simulation.mails import Mail
from tests.simulation.site import Site

_MAILS = 20, 26


def plan_mail(site: Site, draw: Random, *, seconds: float, once: bool) -> None:
    """Plan everything that reaches the program within so many seconds.

    `once`: each mail is published once, and nobody uses the API.
    """
    mails = [_mail(number, draw, seconds) for number in range(draw.randint(*_MAILS))]
    if once:
        mails = [replace(mail, source="nats", uuid=f"u-{mail.number}", due_at=None) for mail in mails]
    site.history.mails += mails
    for mail in mails:
        if mail.source == "nats":
            _publish(site, mail, draw, seconds, once=once)
    if draw.random() < 0.3:
        site.world.at(draw.uniform(0.0, seconds), site.traffic.publish_junk)
    if not once:
        _use_api(site, mails, draw, seconds)


def plan_holds(site: Site, draw: Random, *, seconds: float) -> None:
    """Some mail is held within so many seconds, and let go on later."""
    for key in ("topic:one", "topic:two", "lane:bulk", "account"):
        for _ in range(draw.choice((0, 1, 1, 2))):
            site.world.at(draw.uniform(0.0, seconds), site.traffic.hold, key, draw.choice((2.0, 30.0, 150.0)))


def _publish(site: Site, mail: Mail, draw: Random, seconds: float, *, once: bool) -> None:
    world, traffic = site.world, site.traffic
    at = draw.uniform(0.0, seconds) if draw.random() < 0.5 else draw.uniform(8.0, 12.0)
    world.at(at, traffic.publish, mail)
    if once:
        return
    if draw.random() < 0.3:  # its publisher publishes it again, in another spelling
        world.at(at + draw.uniform(0.0, seconds), traffic.publish, mail, str.upper if draw.random() < 0.3 else str)
    if draw.random() < 0.05:
        world.at(at + draw.uniform(0.0, seconds), traffic.publish_conflicting, mail)


def _use_api(site: Site, mails: list[Mail], draw: Random, seconds: float) -> None:
    world, traffic = site.world, site.traffic
    posted = [mail for mail in mails if mail.source == "api"]
    while posted:
        batch = [posted.pop() for _ in range(min(len(posted), draw.randint(1, 5)))]
        world.at(draw.uniform(0.0, seconds), traffic.post, batch)
    for topic in sorted({mail.topic for mail in mails if mail.topic}):
        if draw.random() < 0.5:
            world.at(draw.uniform(0.0, seconds), traffic.cancel, topic)
    for mail in mails:
        if draw.random() < 0.1:
            world.at(draw.uniform(0.0, seconds), traffic.suppress, mail.address)


def _mail(number: int, draw: Random, seconds: float) -> Mail:
    source: Literal["nats", "api"] = "nats" if draw.random() < 0.75 else "api"
    due = draw.uniform(5.0, 2 * seconds) if draw.random() < 0.2 else None
    return Mail(
        number,
        source,
        f"u-{number}" if source == "nats" else "",
        f"Mail{number}@Example.com" if draw.random() < 0.2 else f"mail{number}@example.com",
        copies=tuple(f"copy{number}-{each}@example.com" for each in range(draw.choice((0, 0, 0, 1, 2)))),
        topic=draw.choice((None, None, "one", "two")),
        due_at=due,
        expires_at=draw.uniform(seconds, 4 * seconds) + (due or 0.0) if draw.random() < 0.1 else None,
        lane=draw.choice((Lane.BULK, Lane.BULK, Lane.TRANSACTIONAL)),
        says_lane=draw.random() < 0.5,
    )
