"""Suppressions of a tenant: what a bounce of its mail stops, and what operators add and see."""

import json
from pathlib import Path

import pytest

from email_consumer.feedback.inbox import Reception
from email_consumer.suppression.suppression import Reason
from tests.factories import ORIGIN, event, mail
from tests.integration.feedback.harness import FeedbackHarness, open_harness
from tests.integration.feedback.http_harness import serve
from tests.integration.feedback.test_suppressions_command import run

JANE, LIST = "jane@example.com", "/v1/suppressions"
NOBODY = {"acme": True, "globex": True, None: True}


def passing(harness: FeedbackHarness, address: str = JANE) -> dict[str | None, bool]:
    """By tenant, whether its mail to the address would be sent."""
    tenants = ("acme", "globex", None)
    return {
        tenant: harness.gate.check(mail("next", email=address, tenant=tenant), ORIGIN) is None for tenant in tenants
    }


@pytest.mark.parametrize("kind", ["Bounce", "Complaint"])
@pytest.mark.parametrize("known_first", [True, False])
async def test_a_tenants_bounce_stops_its_mail_alone_even_after_a_restart(
    path: Path, kind: str, known_first: bool
) -> None:
    async with open_harness(path, by_tenant=True) as harness:
        if not known_first:
            assert await harness.take(event(kind)) is Reception.UNMATCHED
            assert passing(harness) == NOBODY
        await harness.send(tenant="acme")
        if known_first:
            await harness.take(event(kind))
        else:
            assert await harness.inbox.unmatched.sweep() == 1
        assert passing(harness) == NOBODY | {"acme": False}
        [entry] = await harness.suppressions.entries(JANE)
        assert (entry.tenant, entry.group, entry.scope) == ("acme", None, "tenant:acme")
    async with open_harness(path, by_tenant=True) as harness:
        assert passing(harness) == NOBODY | {"acme": False}
        assert await harness.suppressions.remove(JANE, "tenant:acme")
        assert passing(harness) == NOBODY


async def test_by_default_and_without_a_tenant_it_stops_everybodys(path: Path) -> None:
    async with open_harness(path) as harness:
        await harness.send(tenant="acme")
        await harness.take(event("Bounce"))
        assert not any(passing(harness).values())
    async with open_harness(path, by_tenant=True) as harness:  # what was stopped before the change stays stopped
        assert not any(passing(harness).values())
        await harness.send("u-2", "ses-2", email="joe@example.com")
        await harness.take(event("Bounce", "u-2", message_id="ses-2", to=["joe@example.com"]))
        assert not any(passing(harness, "joe@example.com").values())


async def test_a_copy_that_bounced_for_a_tenant_is_left_out_of_its_mail_alone(path: Path) -> None:
    async with open_harness(path) as harness:
        await harness.suppressions.add("copy@example.com", Reason.MANUAL, "", "api", tenant="acme")
        left_out = {
            tenant: harness.gate.permitted(mail(cc=["copy@example.com"], tenant=tenant))[1]
            for tenant in ("acme", "globex")
        }
        assert [each.reason for each in left_out["acme"]] == ["manual (of the tenant acme)"]
        assert left_out["globex"] == ()


async def test_entries_of_tenants_are_mirrored_where_ses_keeps_a_list_for_each(path: Path) -> None:
    pending = "SELECT address, scope, mirror FROM suppressions WHERE mirror IS NOT NULL ORDER BY address"
    listed, there = "Permanent/OnTenantSuppressionList", "there@example.com"
    async with open_harness(path, mirror=True) as harness:
        await harness.suppressions.add("before@example.com", Reason.HARD_BOUNCE, "", "event", tenant="acme")
        assert await harness.suppressions.remove("before@example.com", "tenant:acme")
        assert harness.rows(pending) == []
    async with open_harness(path, mirror=True, by_tenant=True) as harness:
        await harness.send(tenant="acme")
        await harness.take(event("Bounce"))
        await harness.send("u-2", "ses-2", email="joe@example.com")
        await harness.take(event("Bounce", "u-2", message_id="ses-2", to=["joe@example.com"]))
        await harness.suppressions.add(there, Reason.HARD_BOUNCE, listed, "event", tenant="acme")
        assert harness.rows(pending) == [(JANE, "tenant:acme", "put"), ("joe@example.com", "all", "put")]
        assert await harness.suppressions.remove(JANE, "tenant:acme")
        assert harness.rows(pending)[0] == (JANE, "tenant:acme", "delete")


async def test_the_api_adds_shows_and_removes_a_tenants_entry(path: Path) -> None:
    async with open_harness(path) as harness, serve(harness) as http:
        status, entry = await http.ask("POST", LIST, {"address": JANE, "tenant": "acme"})
        assert (status, entry["tenant"], entry["group"], entry["reason"]) == (200, "acme", None, "manual")
        _, everybody = await http.ask("POST", LIST, {"address": JANE, "reason": "unsubscribed"})
        assert everybody["tenant"] is None
        assert await http.ask("GET", f"{LIST}?tenant=acme") == (200, {"suppressions": [entry], "next": None})
        assert await http.ask("GET", f"{LIST}?tenant=globex") == (200, {"suppressions": [], "next": None})
        assert await http.ask("GET", f"{LIST}/{JANE}?tenant=acme") == (200, entry | {"also": [everybody]})
        assert (await http.ask("DELETE", f"{LIST}/{JANE}?tenant=globex"))[0] == 404
        assert (await http.ask("DELETE", f"{LIST}/{JANE}?tenant=acme"))[0] == 200
        assert passing(harness) == NOBODY | dict.fromkeys(NOBODY, False)
        for body in ({"group": "news"}, {"reason": "unsubscribed"}):
            status, refused = await http.ask("POST", LIST, {"address": JANE, "tenant": "acme"} | body)
            assert (status, refused["error"]["fields"]) == (422, ["tenant"])
        assert (await http.ask("GET", f"{LIST}?tenant=acme&group=news"))[0] == 422


async def test_the_command_adds_lists_and_removes_a_tenants_entry(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with open_harness(path) as harness, serve(harness) as http:
        _, output, _ = await run(http, "add", JANE, "--tenant", "acme")
        assert output.startswith(f"{JANE}  manual of acme's mail since 20")
        _, output, _ = await run(http, "list", "--tenant", "acme", "--json")
        assert json.loads(output)["tenant"] == "acme"
        assert passing(harness) == NOBODY | {"acme": False}
        _, output, _ = await run(http, "remove", JANE, "--tenant", "acme")
        assert output.startswith(f"Removed: {JANE}  manual of acme's mail")
