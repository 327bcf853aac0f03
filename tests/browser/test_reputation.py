"""Reputation: bounces and complaints per topic and tenant, and mail by its recipients' domain."""

from pathlib import Path

from selenium.webdriver import Chrome

from tests.acceptance.publisher import as_map
from tests.browser.harness import BrowserHarness, run_harness
from tests.browser.page import Page


def _bouncing(harness: BrowserHarness, name: str, mails: int, bounced: int, **fields: object) -> None:
    """Publish mails of which some bounce and one is complained of, and wait until that is reported."""
    bad = [f"bounce+{name}-{number}@simulator.amazonses.com" for number in range(bounced)]
    bad.append(f"complaint+{name}@simulator.amazonses.com")
    good = [f"someone-{number}@{name}.example" for number in range(mails - len(bad))]
    harness.publish([as_map(f"{name}-{number}", email=email, **fields) for number, email in enumerate(bad + good)])


def test_each_topic_and_tenant_has_its_rates_and_can_be_held(page: Page, harness: BrowserHarness) -> None:
    _bouncing(harness, "rated", 20, 4, topic_id="rated-topic", tenant="rated-tenant")
    page.go("reputation")
    row = '#reputation [data-key="topic:rated-topic"]'
    page.read(row, "5.0 %")  # the complaint
    page.wait(
        lambda: page.text(row).split() == ["topic", "rated-topic", "20", "4", "20.0", "%", "1", "5.0", "%", "Hold"]
    )
    tenant = '#reputation [data-key="tenant:rated-tenant"]'
    page.wait(lambda: page.text(tenant).split()[:4] == ["tenant", "rated-tenant", "20", "4"])
    page.read('#reputation [data-key="account"]', "the account")
    page.find("#reputation-kind").send_keys("Tenants")
    page.at("#reputation?kind=tenant")
    page.wait(lambda: page.all('#reputation [data-key="account"]') == [])

    page.click(f"{tenant} button", "Hold")
    page.read("#confirm-text", "Hold mail of tenant:rated-tenant")
    page.click("#confirm-yes")
    page.read("#reputation .status", "tenant:rated-tenant is held.")
    harness.publish([as_map("rated-later", tenant="rated-tenant", topic_id="rated-topic")])
    page.click(f"{tenant} .badge", "held")
    page.read('#waiting [data-hold="tenant:rated-tenant"]', "held by operator")
    page.read('#waiting [data-hold="tenant:rated-tenant"]', "1 mail waits")
    page.go("reputation")
    page.click(f"{tenant} button", "Resume")
    page.click("#confirm-yes")
    page.read("#reputation .status", "tenant:rated-tenant is not held any more.")
    page.wait(lambda: harness.sent("rated-later") == 1)

    page.click('#reputation [data-key="topic:rated-topic"] a')
    page.read("#topics h2.grow", "rated-topic")


def test_rates_are_judged_by_as_many_mails_as_the_setting_says(browser: Chrome, tmp_path: Path) -> None:
    with run_harness(tmp_path, REPUTATION_MAILS=20) as harness:
        _bouncing(harness, "judged", 20, 4, lane="transactional")
        page = Page(browser, harness.url)
        page.emulate()
        page.open_logged_in()
        page.wait(lambda: harness.ask("GET", "/v1/stats?range=hour&lane=transactional")["totals"]["bounced"] == 4)
        page.open("/#stats?range=hour&lane=transactional")
        assert "at which SES pauses an account" in page.read('#stats [data-rate="bounced"]', "Bounce rate 20.0 %")
        assert page.complaints() == []


def test_each_mailbox_provider_has_its_days(page: Page, harness: BrowserHarness) -> None:
    harness.publish([as_map(f"provider-{number}", email=f"{number}@provider.example") for number in range(3)])
    page.wait(lambda: harness.ask("GET", "/v1/domains?domain=provider.example")["report"])
    page.wait(lambda: harness.ask("GET", "/v1/domains?domain=provider.example")["report"]["delivered"] == 3)
    page.open("/#reputation?days=1")
    assert page.read('#reputation [data-domain="provider.example"]', "3") == "provider.example\t3\t0\t0\t0\t0"
    page.find("#reputation-days").send_keys("90")
    page.at("#reputation?days=90")
    page.click('#reputation [data-domain="provider.example"] a')
    page.at("#reputation/provider.example")
    assert "\t3\t0\t0\t0\t0" in page.read("#reputation [data-day]", "3")
    page.read("#reputation", "No delay was reported.")
    page.click("#reputation a", "Its mail")
    page.at("#mail?domain=provider.example")
    page.open("/#reputation/nobody.example")
    page.read("#reputation .status", "SES has reported nothing about mail to nobody.example")
