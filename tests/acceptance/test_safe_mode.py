"""Safe mode on the whole daemon: whatever way a mail comes, nobody gets it but those who may."""

import json
import sqlite3
from collections.abc import Collection
from pathlib import Path

from tests.acceptance.api.conftest import Api, serving
from tests.acceptance.conftest import DaemonHarness
from tests.acceptance.publisher import as_map
from tests.factories import new_message
from tests.servers.sqs import SqsServer, TestQueue
from tests.waiting import until

QA, STAFF, OTHER = "qa@example.net", "anna@staff.example", "bob@example.com"


async def prepare(api: Api) -> None:
    """Without safe mode: a mail that SES rejects, and mail that is due later."""
    await api.harness.fault(match={"uuid": "replayed"}, kind="error", code="MessageRejected")
    await api.harness.publisher.publish([as_map("replayed", email=OTHER)])
    await api.harness.publisher.publish([as_map("scheduled", email=OTHER, scheduled_at="2099-01-01T00:00:00Z")])
    await api.harness.emptied()
    await api.harness.heal()


def make_due(directory: Path) -> None:
    with sqlite3.connect(directory / "daemon" / "data" / "email.db") as database:
        database.execute("UPDATE email_requests SET scheduled_at = 1 WHERE uuid = 'scheduled'")


async def send_by_every_way(api: Api, queue: TestQueue) -> list[str]:
    """Mail to somebody else; the uuids of all but the replayed one."""
    nats = api.harness.publisher
    copied = {"cc": [OTHER, STAFF], "bcc": ["carol@example.com"]}
    await nats.publish([as_map("nats", email=OTHER), as_map("copied", email=STAFF, **copied)])
    await nats.publish([as_map("urgent", email=OTHER, lane="transactional")])
    mail = {"uuid": "sqs", "email": OTHER, "subject": "s", "body": "b"}
    await queue.send([json.dumps(mail)])
    [uuid] = (await api.post(new_message(OTHER)))["ids"]
    _, letters = await api.ask("GET", "/v1/dead-letters")
    [letter] = letters["dead_letters"]
    status, _ = await api.ask("POST", f"/v1/dead-letters/{letter['sequence']}/replay")
    assert status == 200
    return ["nats", "urgent", "sqs", "scheduled", uuid]


async def outcomes(api: Api, uuids: Collection[str]) -> dict[str, tuple[str, str | None]]:
    """Status and error of each mail, once it has ended."""

    async def ended() -> bool:
        return all([(await api.mail(uuid))["status"] in {"Sent", "Stopped"} for uuid in uuids])

    await until(ended)
    return {uuid: (found["status"], found["error"]) for uuid in uuids if (found := await api.mail(uuid))}


async def recipients(harness: DaemonHarness) -> dict[str, set[str]]:
    """Who got each mail, by uuid."""
    mails = (await harness.sandbox.get("/messages"))["messages"]
    return {mail["uuid"]: {*mail["to"], *mail["cc"], *mail["bcc"]} for mail in mails}


async def test_mail_for_others_is_stopped_whatever_way_it_comes(harness: DaemonHarness, sqs_server: SqsServer) -> None:
    async with serving(harness) as api:
        await prepare(api)
    make_due(harness.directory)
    queue = await sqs_server.create_queue("mail")
    sqs = {"SOURCE": "nats,sqs", "SQS_QUEUE_URL": queue.url, "AWS_ENDPOINT_URL_SQS": sqs_server.url}
    async with serving(harness, RECIPIENT_ALLOWLIST="staff.example", **sqs) as api:
        assert api.daemon.said("safe_mode.on")["allowed"] == ["@simulator.amazonses.com", "@staff.example"]
        assert (await api.ask("GET", "/ready"))[1]["safe_mode"] == "stop"
        uuids = await send_by_every_way(api, queue)
        stopped = ("Stopped", f"safe_mode: {OTHER}: safe mode; not in RECIPIENT_ALLOWLIST")
        assert await outcomes(api, uuids) == dict.fromkeys(uuids, stopped)
        assert (await outcomes(api, ["copied"]))["copied"] == ("Sent", None)
        await harness.emptied()
        # The replay was stopped as well, and the mail remains Failed.
        assert 'email_unsent_total{reason="safe_mode"} 6.0' in await api.text("/metrics")
        assert await recipients(harness) == {"copied": {STAFF}}
    async with serving(harness, REDIRECT_ALL_TO=QA, **sqs) as api:  # stopped mail may be published again
        assert (await api.ask("GET", "/v1/session"))[1]["safe_mode"] == "redirect"
        await harness.publisher.publish([as_map("nats", email=OTHER), as_map("again", email=STAFF, cc=[OTHER])])
        redirected = ("Sent", f"safe mode: sent to {QA} instead")
        assert await outcomes(api, ["nats", "again"]) == {"nats": redirected, "again": redirected}
        assert await recipients(harness) == {"copied": {STAFF}, "nats": {QA}, "again": {QA}}
