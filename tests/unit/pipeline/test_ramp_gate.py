"""Bulk mail of a domain with a ramp moves into the store first, from wherever it comes."""

from datetime import timedelta

from email_consumer.core.ramps import RAMPED, Ramps, today
from email_consumer.core.tenant_limits import TenantLimits
from email_consumer.message.model import encode
from email_consumer.pipeline.allowances import Allowances
from email_consumer.pipeline.ramp_gate import RampGate
from tests.factories import FakeDelivery, mail
from tests.unit.granting_ledger import GrantingLedger
from tests.unit.pipeline.test_pipeline import DeadLetters, Ses, pipeline

OURS = "News <hello@News.example.com>"


async def test_only_what_its_ramp_let_go_on_is_sent() -> None:
    ledger, sender = GrantingLedger(), Ses()
    ramps = RampGate(Ramps({"news.example.com": today()}), OURS)
    handling = pipeline(ledger, DeadLetters(), sender=sender, allowances=Allowances(ramps, TenantLimits()))
    tables = {"Email-Origin": "api"}
    for uuid, headers, fields in (
        ("fresh", {}, {}),
        ("forged", {RAMPED: "2027-01-30"}, {}),
        ("api", tables, {}),
        ("let go on", tables | {RAMPED: "2027-01-30"}, {}),
        ("other domain", {}, {"from_email": "hello@example.com"}),
        ("urgent", {}, {"lane": "transactional"}),
    ):
        await handling.handle(FakeDelivery(encode(mail(uuid, **fields)), headers=headers))
    assert ledger.held == ["ramp:news.example.com"] * 3
    assert [message.uuid for message in sender.sent] == ["let go on", "other domain", "urgent"]


def test_after_its_end_nothing_waits() -> None:
    begun = today() - timedelta(days=400)
    assert RampGate(Ramps({"news.example.com": begun}), OURS).covering(mail()) is None
    assert not RampGate(Ramps({}), OURS)
