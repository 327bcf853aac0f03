"""SERVER_URL: where SNS posts events, and where links and pixels in the mail lead."""

from urllib.parse import urlsplit

import aiohttp

from email_consumer.doctor.finding import Finding, error, ok, warning
from email_consumer.runtime.loopback import is_loopback

_TIMEOUT = aiohttp.ClientTimeout(total=5)


async def check_receiver(server_url: str, *, events_expected: bool, stand_in: bool) -> list[Finding]:
    """Whether our sidecar answers there.

    Args:
        server_url: the setting.
        events_expected: SES events are expected there.
        stand_in: they come from the sandbox on this machine, which reaches it anyway.
    """
    bad = error if events_expected else warning
    if is_loopback(server_url) and not stand_in:
        text = f"SERVER_URL is {server_url}, which nobody outside reaches: no events, opens or unsubscribes come in."
        return [bad("server.url", text, "Set SERVER_URL to the public https address that leads to the sidecar.")]
    findings = []
    if urlsplit(server_url).scheme != "https" and not stand_in:
        text = "SERVER_URL is not https: mailbox providers then offer no one-click unsubscribe."
        findings.append(warning("server.url", text, "Put a reverse proxy with a certificate in front of the sidecar."))
    failure = await _error(f"{server_url}/health")
    if failure:
        text = f"Nothing of ours answers at {server_url}/health: {failure}."
        fix = "Start `email-consumer run`; then check DNS, the reverse proxy and the firewall. This was checked from here."
        return [*findings, bad("server.health", text, fix)]
    return [*findings, ok("server.health", f"The sidecar answers at {server_url}.")]


async def _error(url: str) -> str:
    """Why there is no good answer; empty if there is one."""
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=True) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            return "" if answer.status == 200 else f"HTTP {answer.status}"  # noqa: PLR2004
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return str(error) or type(error).__name__
