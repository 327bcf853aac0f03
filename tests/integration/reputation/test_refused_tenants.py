"""A tenant that SES refuses is held, for longer each time in a row."""

import time
from typing import Any

import pytest

from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import TENANT_REFUSED, TenantRefused
from email_consumer.holds.hold import Holder
from email_consumer.holds.hold_list import HoldList
from email_consumer.pipeline.settlement import Settlement
from email_consumer.reputation.refused_tenants import RefusedTenants
from email_consumer.roles.remote_workers import AccountMonitor
from email_consumer.store.database import Database
from tests.factories import ORIGIN, FakeDelivery, mail
from tests.unit.granting_ledger import GrantingLedger
from tests.unit.pipeline.test_pipeline import DeadLetters

REASON = f"{TENANT_REFUSED}acme (it is paused)"


async def test_all_its_mail_is_held_and_longer_if_it_is_refused_again(database: Database) -> None:
    holds, refused = HoldList(database, lambda _: None), dict[str, str]()
    tenants = RefusedTenants(holds, refused)
    for seconds in (60, 120, 240):
        refused["acme"] = REASON
        await tenants.update()
        refused["acme"] = REASON  # of a mail that was on its way
        await tenants.update()
        [hold] = holds.active
        assert (hold.key, hold.holder, hold.reason, hold.transactional) == ("tenant:acme", Holder.SES, REASON, True)
        assert hold.until == pytest.approx(time.time() + seconds, abs=10)
        await holds.resume("tenant:acme", by="time")
    assert refused == {}


async def test_it_is_noted_by_the_worker_in_this_process() -> None:
    metrics = Metrics(refused_tenants={})
    settlement = Settlement(GrantingLedger(), DeadLetters(), metrics, retry_delay=1)
    await settlement.settle(FakeDelivery(), mail(tenant="acme"), TenantRefused("acme", REASON), ORIGIN, 1)
    assert metrics.refused_tenants == {"acme": REASON}


def test_it_is_noted_from_the_outcomes_of_other_workers() -> None:
    metrics = Metrics(refused_tenants={})
    others: list[dict[str, Any]] = [
        {"tenant": "acme", "error": "503"},
        {"tenant": None, "error": REASON},
        {"tenant": "good", "error": None},
    ]
    AccountMonitor(metrics, None).note_refusals([*others, {"tenant": "acme", "error": REASON}])
    assert metrics.refused_tenants == {"acme": REASON}
