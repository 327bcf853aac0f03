"""This version, on what earlier ones left behind: see README.md."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import orjson
import pytest

from email_consumer.message.model import uuid_tag
from email_consumer.store.database import newest_version
from email_consumer.store.status import Status
from tests.acceptance.publisher import as_map, emptied
from tests.servers.daemon import Daemon
from tests.upgrade.conftest import Recorded
from tests.upgrade.installation import Installation

_GRACE = {"run": 0, "roles": 10}
"""The least that each takes."""


@asynccontextmanager
async def running(place: Installation, **variables: object) -> AsyncIterator[None]:
    daemons = place.daemons(IN_DOUBT_GRACE=_GRACE[place.shape], **variables)
    try:
        for daemon in daemons:
            await daemon.start()
        yield
    finally:
        await asyncio.gather(*(daemon.kill() for daemon in daemons))


async def settled(place: Installation, sent: dict[str, int]) -> None:
    """Until SES has all that is to arrive and the stream is empty; nothing else was sent."""
    expected = {uuid_tag(uuid): times for uuid, times in sent.items()}

    async def arrived() -> bool:
        return set(expected) <= set(await place.sent())

    await place.until_true(arrived, "all that is to arrive")
    await emptied(place.publisher)
    assert await place.sent() == expected


async def shown(place: Installation, expected: dict[str, Status]) -> dict[str, Any]:
    """Until the tables say that of these mails; their errors."""
    found: dict[str, tuple[int, Any]] = {}

    async def as_expected() -> bool:
        rows = place.rows("SELECT uuid, status, error FROM email_requests")
        found.update({uuid: (status, error) for uuid, status, error in rows if uuid in expected})
        return {uuid: status for uuid, (status, _) in found.items()} == expected

    await place.until_true(as_expected, f"{expected}, but {found}")
    return {uuid: error for uuid, (_, error) in found.items()}


async def dead_letters(place: Installation) -> list[dict[str, Any]]:
    command = place.command("dlq", "list", "--json")
    await command.launch()
    assert await command.ended() == 0, command.log
    return command.log


async def test_all_arrives_once_and_what_was_stopped_stays_stopped(recorded: Recorded) -> None:
    place, manifest = recorded.place, recorded.manifest
    suppressed = set(place.rows("SELECT address, reason FROM suppressions"))
    async with running(place):
        await settled(place, recorded.to_send)
        await shown(place, dict.fromkeys([*recorded.to_send, *manifest["sent"]], Status.SENT))
        await shown(place, dict.fromkeys(manifest["waits"], Status.CREATED))
        errors = await shown(place, dict.fromkeys(manifest["stopped"], Status.STOPPED))
        assert {uuid for uuid, reason in manifest["stopped"].items() if reason not in errors[uuid]} == set()
        assert set(place.rows("SELECT address, reason FROM suppressions")) == suppressed
        assert Counter(letter["kind"] for letter in await dead_letters(place)) == manifest["dead"]
        await _what_went_out_before_goes_on_working(recorded)


async def _what_went_out_before_goes_on_working(recorded: Recorded) -> None:
    """Links in inboxes, dead letters, an API client that repeats its request, publishers of a suppressed address."""
    place, manifest, sent = recorded.place, recorded.manifest, recorded.to_send
    request, links = manifest["request"], manifest["links"]
    key = {"Idempotency-Key": request["key"]}
    answer = await place.ask("POST", "/v1/messages", request["body"], headers=key)
    assert answer["ids"] == request["ids"]
    await place.session.get(f"http://127.0.0.1:{place.port}{links['open']}", raise_for_status=True)
    await place.until("SELECT request_id FROM email_results WHERE status = 'Open'", _row_of(place, links["uuid"]))
    await place.unsubscribe(links["unsubscribe"])
    await place.until(
        "SELECT address, reason FROM suppressions ORDER BY created_at DESC", links["address"], "unsubscribed"
    )
    replay = place.command("dlq", "replay", "--all", "--reason", "rejected")
    await replay.launch()
    assert await replay.ended() == 0, replay.log
    unsubscribed = {
        "to-the-unsubscribed": {},
        "news": {"unsubscribe_group": "news"},
        "reset": {"lane": "transactional"},
    }
    await place.publisher.publish(as_map(name, email=links["address"], **more) for name, more in unsubscribed.items())
    await settled(place, sent | {"rejected-0": 1, "rejected-1": 1, "reset": 1})
    stopped = dict.fromkeys(("to-the-unsubscribed", "news"), Status.STOPPED)
    await shown(place, stopped | {"rejected-0": Status.SENT, "reset": Status.SENT})
    remaining = Counter(letter["kind"] for letter in await dead_letters(place))
    assert remaining == {kind: count for kind, count in manifest["dead"].items() if kind != "rejected"}


async def test_what_is_in_doubt_is_parked_where_the_policy_says_so(recorded: Recorded) -> None:
    place, manifest = recorded.place, recorded.manifest
    async with running(place, IN_DOUBT="park"):
        await settled(place, dict.fromkeys(manifest["arrives"], 1))
        await shown(place, dict.fromkeys(manifest["doubtful"], Status.FAILED))
        letters = Counter(letter["kind"] for letter in await dead_letters(place))
        assert letters == manifest["dead"] | {"in-doubt": len(manifest["doubtful"])}


async def test_transactional_mail_has_a_lane_and_what_lay_on_its_subject_is_sent_on_request(recorded: Recorded) -> None:
    """Whatever was published there before, nobody read it."""
    place = recorded.place
    await place.publisher.publish([as_map("old", topic_id="t")], transactional=True)
    [daemon, *_] = daemons = place.daemons(IN_DOUBT_GRACE=_GRACE[place.shape])
    for each in daemons:
        await each.start()
    assert "1 messages lie on 'messages.transactional'" in daemon.said("lanes.one")["reason"]
    await place.until_true(partial(_has, place, recorded.to_send), "all that is to arrive")
    adopt = place.command("lanes", "adopt")
    await adopt.launch()
    assert await adopt.ended() == 0, adopt.log
    assert "old" not in await place.sent()
    await asyncio.gather(*(each.stop() for each in daemons))
    await place.publisher.publish([as_map("new", topic_id="t")], transactional=True)
    async with running(place):
        await settled(place, recorded.to_send | {"old": 1, "new": 1})
        await shown(place, {"old": Status.SENT, "new": Status.SENT})
        assert place.rows("SELECT DISTINCT lane FROM email_requests WHERE topic_id = 't'") == [("transactional",)]


async def _has(place: Installation, uuids: Iterable[str]) -> bool:
    return {uuid_tag(uuid) for uuid in uuids} <= set(await place.sent())


def _row_of(place: Installation, uuid: str) -> int:
    return int(dict(place.rows("SELECT uuid, id FROM email_requests"))[uuid])


def _has_migrated(daemon: Daemon) -> bool:
    return daemon.count("store.migrated") + daemon.count("daemon.started") > 0


async def test_killed_at_each_step_of_the_migration_it_goes_on(recorded: Recorded) -> None:
    place = recorded.place
    migrating = True
    while migrating:
        [daemon, *_] = place.daemons(ACK_WAIT=2)
        await daemon.launch()
        await daemon.wait_until(partial(_has_migrated, daemon))
        await daemon.kill()
        migrating = daemon.count("store.migrated") > 0
    async with running(place, ACK_WAIT=2):
        await settled(place, recorded.to_send)
    assert place.rows("PRAGMA user_version") == [(newest_version(),)]


async def test_doctor_says_beforehand_what_an_upgrade_will_do_and_changes_nothing(recorded: Recorded) -> None:
    place = recorded.place
    [before] = place.rows("PRAGMA user_version")
    await place.publisher.publish([as_map("misspelled", schedule_at="2099-01-01T00:00:00Z")])
    doctor = place.command("doctor", "--json")
    await doctor.launch()
    await doctor.ended()
    findings = {
        each["check"]: each["text"] for each in orjson.loads("".join(line["event"] for line in doctor.log))["findings"]
    }
    assert f"from version {before[0]} to {newest_version()}" in findings["storage.file"]
    assert "1 will be refused and kept as dead letters: 'schedule_at'" in findings["queue.waiting"]
    assert place.rows("PRAGMA user_version") == [before]


async def test_a_newer_file_is_refused_in_one_line(recorded: Recorded) -> None:
    place = recorded.place
    with place.writing() as connection:
        connection.execute(f"PRAGMA user_version = {newest_version() + 1}")
    [daemon, *_] = place.daemons()
    await daemon.launch()
    assert await daemon.ended() == 1
    assert [str(line["event"]).count("written by a newer email-consumer") for line in daemon.log] == [1]


async def test_workers_that_are_upgraded_before_the_sidecar_stop_what_it_cancelled(recorded: Recorded) -> None:
    place, manifest = recorded.place, recorded.manifest
    if place.shape == "run":
        pytest.skip("one process is both")
    _, worker = place.daemons(IN_DOUBT_GRACE=10)

    async def all_but_the_doubtful_is_settled() -> bool:
        return await place.publisher.unsettled() == len(manifest["doubtful"])

    async with worker:
        await place.until_true(all_but_the_doubtful_is_settled, "a stream that holds what is in doubt alone")
        assert set(await place.sent()) <= {uuid_tag(uuid) for uuid in manifest["arrives"]}
    async with running(place):
        await settled(place, recorded.to_send)
