"""Mail of a tenant with limits moves into the store first, from wherever it comes; its ramp comes before that."""

import pytest

from email_consumer.core.ramps import RAMPED, Ramps, today
from email_consumer.core.tenant_limits import LIMITED, TenantLimits
from email_consumer.message.model import encode
from email_consumer.pipeline.allowances import Allowances
from email_consumer.pipeline.ramp_gate import RampGate
from tests.factories import FakeDelivery, mail
from tests.unit.granting_ledger import GrantingLedger
from tests.unit.pipeline.test_pipeline import DeadLetters, Ses, pipeline

NO_RAMP, RAMP = Ramps({}), Ramps({"example.com": today()})
TABLES = {"Email-Origin": "api"}


@pytest.mark.parametrize(
    ("ramps", "headers", "fields", "waits_for"),
    [
        (NO_RAMP, {}, {"tenant": "acme"}, "limit:bulk:acme"),
        (NO_RAMP, {}, {"tenant": "acme", "lane": "transactional"}, "limit:transactional:acme"),
        (NO_RAMP, {LIMITED: "2027-01-30"}, {"tenant": "acme"}, "limit:bulk:acme"),
        (NO_RAMP, TABLES, {"tenant": "acme"}, "limit:bulk:acme"),
        (NO_RAMP, TABLES | {LIMITED: "2027-01-30"}, {"tenant": "acme"}, None),
        (NO_RAMP, {}, {"tenant": "globex"}, None),
        (NO_RAMP, {}, {}, None),
        (RAMP, {}, {"tenant": "acme"}, "ramp:example.com"),
        (RAMP, TABLES | {RAMPED: "2027-01-30"}, {"tenant": "acme"}, "limit:bulk:acme"),
        (RAMP, TABLES | {RAMPED: "2027-01-30", LIMITED: "2027-01-30"}, {"tenant": "acme"}, None),
    ],
)
async def test_only_what_its_limits_let_go_on_is_sent(
    ramps: Ramps, headers: dict[str, str], fields: dict[str, str], waits_for: str | None
) -> None:
    ledger, sender = GrantingLedger(), Ses()
    allowances = Allowances(RampGate(ramps, "no-reply@example.com"), TenantLimits(days={"acme": 100}))
    handling = pipeline(ledger, DeadLetters(), sender=sender, allowances=allowances)
    await handling.handle(FakeDelivery(encode(mail(**fields)), headers=headers))
    assert ledger.held == ([waits_for] if waits_for else [])
    assert len(sender.sent) == (not waits_for)
