"""A hold moves mail into the store: before its turn, and also if it was waiting for its turn when the hold began."""

import asyncio

from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import Scheduled
from email_consumer.message.lane import Lane
from email_consumer.message.model import encode
from email_consumer.pipeline.gate import Gate
from email_consumer.pipeline.pacer import Pacer
from tests.factories import FakeDelivery, mail
from tests.unit.granting_ledger import GrantingLedger
from tests.unit.pipeline.test_pipeline import DeadLetters, Ses, SmallLedger, pipeline


async def test_held_mail_is_stored_and_acked_and_nothing_else_waits() -> None:
    gate, ledger, sender, metrics = Gate(), GrantingLedger(), Ses(), Metrics()
    handling = pipeline(ledger, DeadLetters(), gate=gate, sender=sender, metrics=metrics)
    gate.holds.replace({"topic:bad": False, "tenant:paused": True})
    held = [mail("u-1", topic_id="bad"), mail("u-2", tenant="paused", lane="transactional")]
    free = [mail("u-3", topic_id="good"), mail("u-4", topic_id="bad", lane="transactional"), mail("u-5")]
    deliveries = [FakeDelivery(encode(each)) for each in (*held, *free)]
    for delivery in deliveries:
        await handling.handle(delivery)
    assert sender.sent == free
    assert ledger.held == ["topic:bad", "tenant:paused"]
    assert metrics.outcomes[Scheduled] == 2
    assert [delivery.calls for delivery in deliveries] == [["ack"]] * 5


async def test_mail_that_waits_for_its_turn_leaves_the_queue() -> None:
    gate, ledger, sender, metrics = Gate(), GrantingLedger(), Ses(), Metrics()
    pacer = Pacer(1000, metrics)
    gate.holds.on_change(pacer.drop_stopped)
    pacer.hold("test", "paused")
    handling = pipeline(ledger, DeadLetters(), gate=gate, pacer=pacer, sender=sender, metrics=metrics)
    deliveries = [FakeDelivery(encode(mail(f"u-{n}", topic_id="bad"))) for n in range(2)]
    waiting = asyncio.gather(*(handling.handle(delivery) for delivery in deliveries))
    await asyncio.sleep(0)
    gate.holds.replace({"topic:bad": False})
    await waiting
    assert (ledger.held, sender.sent) == (["topic:bad"] * 2, [])


async def test_mail_that_the_store_cannot_take_is_delivered_again() -> None:
    gate, delivery = Gate(), FakeDelivery(encode(mail(topic_id="bad")))
    gate.holds.replace({"topic:bad": False})
    await pipeline(SmallLedger(), DeadLetters(), gate=gate).handle(delivery)
    assert delivery.calls == ["nak 1"]


def test_the_widest_hold_is_named_and_transactional_mail_knows_few() -> None:
    holds = Gate().holds
    assert not holds
    news = mail(topic_id="news", tenant="acme")
    holds.replace({"topic:news": False, "lane:bulk": False})
    assert holds.covering(news) == "lane:bulk"
    urgent = news.model_copy(update={"lane": Lane.TRANSACTIONAL})
    assert holds.covering(urgent) is None
    holds.replace({"account": False})
    assert (holds.covering(news), holds.covering(urgent)) == ("account", None)
    holds.replace({"account": True})
    assert (holds.covering(news), holds.covering(urgent)) == ("account", "account")
