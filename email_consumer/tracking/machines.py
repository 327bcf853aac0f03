"""Fetches of a pixel that no person stands behind, as far as can be told from the request.

Mail proxies that fetch when a person opens (`GoogleImageProxy`, `YahooMailProxy`) are not machines in this sense.
"""

import re
from collections.abc import Mapping

SOON = 2.0
"""Seconds after sending in which nobody has read a mail yet: scanners look at once."""

# Apple Mail Privacy Protection fetches every mail's images through its proxy, which gives this and nothing more.
_APPLE_PRIVACY_PROXY = "Mozilla/5.0"
# Google fetches some mails' images ahead under this name (no browser has it); opens come as GoogleImageProxy.
_GMAIL_PREFETCH = "Edge/12.246 Mozilla/5.0"
_PROGRAMS = re.compile(
    r"bot\b|bot/|crawl|spider|scan|preview|headless|phantomjs|curl/|wget/|python|go-http-client|java/|okhttp|libwww|"
    r"axios|node-fetch|apache-httpclient|barracuda|proofpoint|mimecast|messagelabs|symantec|trendmicro|sophos|"
    r"fortinet|fireeye|mailguard|urldefense|safelinks",
    re.IGNORECASE,
)
_PREFETCH_HEADERS = ("Purpose", "Sec-Purpose", "X-Purpose", "X-Moz")


def is_machine(method: str, headers: Mapping[str, str]) -> bool:
    """By method, User-Agent and the headers of prefetching browsers; `headers` of any spelling of their names."""
    agent = headers.get("User-Agent", "").strip()
    if method != "GET" or not agent or agent == _APPLE_PRIVACY_PROXY or agent.endswith(_GMAIL_PREFETCH):
        return True
    if any("prefetch" in headers.get(name, "").lower() for name in _PREFETCH_HEADERS):
        return True
    return bool(_PROGRAMS.search(agent))
