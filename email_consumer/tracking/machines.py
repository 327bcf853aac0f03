"""Recognizes requests for the pixel that come from programs rather than people.

Image proxies that load it when a person opens the mail (`GoogleImageProxy`, `YahooMailProxy`) do not count as programs.
"""

import re
from collections.abc import Mapping

SOON = 2.0
"""Opens within this many seconds after sending are by scanners: no person is that fast."""

# Apple Mail Privacy Protection loads the images of every mail through a proxy with exactly this User-Agent.
_APPLE_PRIVACY_PROXY = "Mozilla/5.0"
# Gmail prefetches some images with this User-Agent (no browser has it); opens come from GoogleImageProxy.
_GMAIL_PREFETCH = "Edge/12.246 Mozilla/5.0"
_PROGRAMS = re.compile(
    r"bot\b|bot/|crawl|spider|scan|preview|headless|phantomjs|curl/|wget/|python|go-http-client|java/|okhttp|libwww|"
    r"axios|node-fetch|apache-httpclient|barracuda|proofpoint|mimecast|messagelabs|symantec|trendmicro|sophos|"
    r"fortinet|fireeye|mailguard|urldefense|safelinks",
    re.IGNORECASE,
)
_PREFETCH_HEADERS = ("Purpose", "Sec-Purpose", "X-Purpose", "X-Moz")


def is_machine(method: str, headers: Mapping[str, str]) -> bool:
    """Decide by method, User-Agent and prefetch headers; `headers` must be case-insensitive."""
    agent = headers.get("User-Agent", "").strip()
    if method != "GET" or not agent or agent == _APPLE_PRIVACY_PROXY or agent.endswith(_GMAIL_PREFETCH):
        return True
    if any("prefetch" in headers.get(name, "").lower() for name in _PREFETCH_HEADERS):
        return True
    return bool(_PROGRAMS.search(agent))
