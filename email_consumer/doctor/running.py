"""What the program that runs here says of itself: `/ready` names all that lets no mail through."""

import aiohttp

from email_consumer.doctor.finding import Finding, error, ok, warning

_TIMEOUT = aiohttp.ClientTimeout(total=5)
_FIXES = {
    "nats": "See the findings on nats.",
    "sqs": "See the findings on sqs.",
    "consumer": "See the findings on queue.consumer.",
    "ledger": "See the findings on storage; see the daemon's log (store.blocked).",
    "ses": "See the findings on ses, and the daemon's log (queue.held).",
    "dead_letters": "Make room in the dead-letter stream, or remove letters: `email-consumer dlq list`.",
    "schedule": "See the findings on queue.stream; see the daemon's log (schedule.interrupted).",
}
_ELSE = "See the daemon's log (ready.down, queue.stuck)."


async def check_running(url: str) -> list[Finding]:
    """`url` is the sidecar's, as this machine reaches it; nothing to say where nothing of ours answers there."""
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session, session.get(f"{url}/ready") as answer:
            answered = await answer.json()
            reasons = dict(answered["reasons"]) if not answered["ready"] else {}
            holds = int(answered.get("holds", 0))
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError, TypeError):
        return []  # whether anything of ours should answer is looked at elsewhere
    held = [_holds(holds)] if holds else []
    if not reasons:
        return [ok("server.ready", "The running program reports that mail can flow."), *held]
    return [
        *held,
        *(
            error(
                "server.ready",
                f"The running program blocks mail ({name}): {reason}.",
                _FIXES.get(name, _ELSE),
            )
            for name, reason in reasons.items()
        ),
    ]


def _holds(count: int) -> Finding:
    what = "1 key (topic, tenant, lane or account) is held" if count == 1 else f"{count} keys are held"
    fix = "See `email-consumer holds list`; end one by `email-consumer holds resume KEY`."
    return warning("server.holds", f"{what}: that mail waits.", fix)
