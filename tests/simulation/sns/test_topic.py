"""SES's events reach the real receiver, however SNS delivers them."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from email_consumer.core.ledger import Claim
from email_consumer.core.outcome import Sent
from email_consumer.feedback.event_routes import EventRoutes
from email_consumer.feedback.inbox import Reception
from email_consumer.ses.client import SesClient
from email_consumer.web.app import create_app
from email_consumer.web.server import Server
from tests.factories import ORIGIN, mail
from tests.integration.feedback.harness import FeedbackHarness, open_harness
from tests.simulation.ses import courses
from tests.simulation.ses.service import Ses
from tests.simulation.sns.endpoints import Receivers, over_http, trusted_signatures
from tests.simulation.sns.plan import Fate, SnsPlan
from tests.simulation.sns.topic import TOPIC, Endpoint, Sns
from tests.simulation.sqlite import Storage
from tests.simulation.world import World

UUIDS = [f"u-{number}" for number in range(12)]


class EventHarness:
    """A process that sends through the ledger and receives events."""

    def __init__(self, path: Path, *, http: bool) -> None:
        self.world = World(7)
        self.ses = Ses(self.world)
        self.sns = Sns(self.world, self.ses)
        self._path = path
        self.process = self.world.process("run")
        self.receivers = Receivers(lambda: self.process)
        self.endpoint: Endpoint = over_http(lambda: self.process) if http else self.receivers
        self.sns.endpoint = self.endpoint
        self.opened: FeedbackHarness

    async def serve(self, ready: asyncio.Future[None], stop: asyncio.Future[None]) -> None:
        async with AsyncExitStack() as stack:
            self.opened = await stack.enter_async_context(open_harness(self._path, topics=(TOPIC,)))
            routes = EventRoutes(self.opened.receiver).routes()
            await stack.enter_async_context(Server(create_app(routes, ["key"], version="0"), 3000))
            ready.set_result(None)
            await stop

    def send(self, *uuids: str) -> None:
        """Claim and send each of them, and record what came of it."""
        self.wait(self.process.spawn(self._send(uuids)).done)

    async def _send(self, uuids: tuple[str, ...]) -> None:
        async with SesClient(
            self.ses.open_session,
            region="eu-west-1",
            from_email="shop@example.com",
            configuration_set=None,
            instance="test",
        ) as client:
            for uuid in uuids:
                message = mail(uuid, email=f"{uuid}@example.org")
                assert isinstance(await self.opened.ledger.claim(message, ORIGIN), Claim)
                result = await client.send(message)
                if isinstance(result, Sent):
                    await self.opened.ledger.finish(message, result, ORIGIN)

    def wait(self, until: Callable[[], bool], limit: float = 10_000) -> None:
        self.world.run(until, limit=limit)

    def all_settled(self) -> bool:
        """Nothing more will come of what was published, for every mail that SES took."""
        done = [each for each in self.sns.published if each.never or each.given_up or each.delivered_at]
        return len(done) == len(self.sns.published) and self.world.now > 1_000


@pytest.fixture(params=["direct", "http"])
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventHarness]:
    harness = EventHarness(tmp_path / "email.db", http=request.param == "http")
    with (
        harness.world.running(),
        Storage(harness.world).installed(),
        trusted_signatures(),
        harness.receivers.installed(),
    ):
        ready, stop = harness.process.create_future(), harness.process.create_future()
        serving = harness.process.spawn(harness.serve(ready, stop))
        harness.wait(ready.done)
        yield harness
        harness.process.call(stop.set_result, None)
        harness.wait(serving.done)
    assert harness.world.unhandled == []


def test_every_fate_arrives_once(harness: EventHarness) -> None:
    harness.sns.plan = SnsPlan(chance_late=0.3, chance_twice=0.5)
    for uuid, fate in zip(UUIDS, Fate, strict=False):
        harness.sns.script(uuid, fate)
    harness.send(*UUIDS[: len(Fate)])
    harness.wait(harness.all_settled)
    stored = {(row[0], row[1]) for row in harness.opened.tables()["results"]}
    assert stored == {(each.uuid, each.kind.partition(":")[0]) for each in harness.sns.published}
    assert len(harness.opened.tables()["results"]) == len(harness.sns.published)
    receptions = harness.opened.inbox.counts.receptions
    assert receptions[Reception.DUPLICATE] > 0
    [*suppressed] = [row[0] for row in harness.opened.tables()["suppressions"]]
    assert sorted(suppressed) == sorted(
        f"{uuid}@example.org"
        for uuid, fate in zip(UUIDS, Fate, strict=False)
        if fate in {Fate.BOUNCED, Fate.BOUNCED_PARTLY, Fate.COMPLAINED}
    )


def test_an_event_settles_a_mail_whose_answer_was_lost(harness: EventHarness) -> None:
    harness.ses.script("u-0", courses.unanswered())
    harness.send("u-0")
    harness.wait(harness.all_settled)
    [[_, _, message_id, *_]] = harness.opened.tables()["requests"]
    [accepted] = harness.ses.accepted["u-0"]
    assert message_id == accepted.message_id


def test_a_receiver_that_is_down_gets_its_events_later(harness: EventHarness) -> None:
    harness.sns.endpoint = None
    harness.send(*UUIDS[:3])
    harness.world.after(45, setattr, harness.sns, "endpoint", harness.endpoint)
    harness.wait(harness.all_settled)
    assert len(harness.opened.tables()["results"]) == 6
    assert not any(each.given_up for each in harness.sns.published)


def test_sns_gives_up_on_a_receiver_that_stays_down(harness: EventHarness) -> None:
    harness.sns.endpoint = None
    harness.send("u-0")
    harness.wait(harness.all_settled)
    assert [each.given_up for each in harness.sns.published] == [True, True]


def test_what_is_not_ours_changes_nothing(harness: EventHarness) -> None:
    harness.ses.script("u-0", courses.lost())
    harness.send("u-0")
    harness.sns.foreign("u-0", "Delivery")
    harness.sns.unknown("u-99", "Delivery", instance="test")
    harness.wait(harness.all_settled)
    receptions = harness.opened.inbox.counts.receptions
    assert (receptions[Reception.FOREIGN], receptions[Reception.UNMATCHED]) == (1, 1)
    assert harness.opened.tables()["results"] == []


def test_what_is_never_published_never_arrives(harness: EventHarness) -> None:
    harness.sns.plan = SnsPlan(chance_never=1.0)
    harness.send("u-0")
    harness.wait(harness.all_settled)
    assert [each.never for each in harness.sns.published] == [True, True]
    assert harness.opened.tables()["results"] == []


def test_a_process_that_is_dead_or_does_not_listen_gives_no_answer() -> None:
    world = World(1)
    answers: list[int | None] = []
    with world.running():
        process = world.process("run")
        endpoints: list[Endpoint] = [over_http(lambda: process), Receivers(lambda: process)]
        nowhere: list[Endpoint] = [over_http(lambda: None), Receivers(lambda: None)]
        for endpoint in endpoints:
            endpoint(b"{}", answers.append)
        process.kill()
        for endpoint in endpoints + nowhere:
            endpoint(b"{}", answers.append)
    assert answers == [None] * 6
