"""Programs and people are distinguished by the User-Agents they are known to send."""

import pytest
from multidict import CIMultiDict

from email_consumer.tracking.machines import is_machine

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)


@pytest.mark.parametrize(
    "agent",
    [
        CHROME,
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)",  # Apple Mail
        "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
        "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; ms-office; MSOffice 16)",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.0",
    ],
)
def test_people(agent: str) -> None:
    assert not is_machine("GET", CIMultiDict({"user-agent": agent}))


@pytest.mark.parametrize(
    "agent",
    [
        "",
        "Mozilla/5.0",  # Apple Mail Privacy Protection
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 "
            "Safari/537.36 Edge/12.246 Mozilla/5.0"
        ),  # Gmail ahead of the reader
        "curl/8.5.0",
        "python-requests/2.32.0",
        "Go-http-client/1.1",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/120.0.0.0 Safari/537.36",
        "BarracudaCentral.org",
    ],
)
def test_machines(agent: str) -> None:
    assert is_machine("GET", {"User-Agent": agent})


def test_a_browser_that_only_looks_ahead_is_a_machine() -> None:
    assert is_machine("GET", CIMultiDict({"User-Agent": CHROME, "sec-purpose": "prefetch;prerender"}))
    assert is_machine("HEAD", {"User-Agent": CHROME})
