"""Held mail in each state that an upgrade can meet, brought there by the real program."""

from typing import Any

import nats

from tests.acceptance.publisher import as_map
from tests.upgrade.installation import Installation

TOPIC, TENANT = "topic:bad", "tenant:acme"
_IN_STORE = "SELECT count(*) FROM email_requests WHERE held_by IS NOT NULL"


async def record_held(place: Installation) -> dict[str, Any]:
    """Ends with a SIGKILL; the manifest, see README.md."""
    daemons = place.daemons()
    [*_, sender] = daemons
    try:
        for daemon in daemons:
            await daemon.start()
        for key in (TOPIC, TENANT):
            await place.ask("POST", "/v1/holds", {"key": key, "reason": "wrong prices"})
        manifest = await _in_store(place)
        if place.shape == "roles":
            await daemons[0].kill()
            manifest["held"][TOPIC] += await _on_the_way_to_the_sidecar(place)
    finally:
        for daemon in (sender, daemons[0]):
            await daemon.kill()
    manifest["held"][TOPIC] += await _publish(place, "queued", 5, topic_id="bad")
    manifest["arrives"] += await _publish(place, "queued-free", 3)
    return manifest


async def _in_store(place: Installation) -> dict[str, Any]:
    held = {
        TOPIC: await _publish(place, "topic", 10, topic_id="bad"),
        TENANT: [
            *await _publish(place, "tenant", 5, tenant="acme"),
            *await _publish(place, "urgent", 2, tenant="acme", lane="transactional"),
        ],
        "both": await _publish(place, "both", 2, topic_id="bad", tenant="acme"),
    }
    emails = [f"api{number}@example.com" for number in range(3)]
    message = {"emails": emails, "subject": "s", "content": "<p>Hello</p>", "topic_id": "bad"}
    held[TOPIC] += (await place.ask("POST", "/v1/messages", {"messages": [message]}))["ids"]
    cancelled = await _publish(place, "cancelled", 2, topic_id="cancelled", tenant="acme")
    sent = await _publish(place, "free", 4, topic_id="good")
    await place.until(_IN_STORE, sum(map(len, held.values())) + len(cancelled))
    await place.ask("DELETE", "/v1/topics/cancelled")
    await place.until("SELECT count(*) FROM email_requests WHERE status = 2", len(sent))
    await place.until("SELECT count(*) FROM email_requests WHERE status = 4", len(cancelled))
    return {"held": held, "sent": sent, "stopped": cancelled, "arrives": []}


async def _on_the_way_to_the_sidecar(place: Installation) -> list[str]:
    """What a worker has handed over while there was no sidecar."""
    client = await nats.connect(place.nats.url)
    uuids = await _publish(place, "handed-over", 5, topic_id="bad")

    async def handed_over() -> bool:
        waiting = (await client.jetstream().stream_info("messages-scheduled")).state.messages
        return waiting == len(uuids) and not await place.publisher.unsettled()

    await place.until_true(handed_over, "held mail that waits for the sidecar")
    await client.close()
    return uuids


async def _publish(place: Installation, name: str, count: int, **fields: object) -> list[str]:
    uuids = [f"{name}-{number}" for number in range(count)]
    await place.publisher.publish([as_map(uuid, **fields) for uuid in uuids])
    return uuids
