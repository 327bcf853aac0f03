"""A stranger who knows our topic posts whatever they can think of, by the hundred, while genuine events go on coming."""

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from email_consumer.sns import certificates
from email_consumer.sns.certificates import DownloadError
from tests.factories import event
from tests.integration.feedback.forgeries import STRANGER, URLS, forged, invented_name
from tests.integration.feedback.harness import KEY, FeedbackHarness, open_harness
from tests.integration.feedback.http_harness import HttpHarness, serve
from tests.unit.feedback.sns_key import CERTIFICATE_URL, SnsKey, body
from tests.waiting import patience


async def only_ours(url: str) -> bytes:
    if url != CERTIFICATE_URL:
        raise DownloadError("it answered 404")
    return KEY.pem


async def genuine(harness: FeedbackHarness, http: HttpHarness, number: int) -> None:
    uuid, message_id = f"g-{number}", f"ses-g-{number}"
    await harness.send(uuid, message_id)
    answer = await http.post(body(KEY.notification(event("Delivery", uuid, message_id=message_id))))
    assert answer == (200, {}), number


async def test_hundreds_of_forgeries_are_refused_without_an_internal_error(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered: Counter[int] = Counter()
    posted = 0
    async with open_harness(path, download=only_ours) as harness, serve(harness) as http:
        await genuine(harness, http, 0)
        monkeypatch.setattr(certificates, "_TIMEOUT", 0.01)
        with capture_logs() as logs:
            for payload in forged():
                status, _ = await http.post(payload)
                answered[status] += 1
                posted += 1
                if posted % 50 == 0:
                    await genuine(harness, http, posted)
        assert posted >= 370
        assert set(answered) <= {400, 403, 413, 429}, answered
        assert harness.rows("SELECT count(*) FROM suppressions") == [(0,)]
        assert harness.rows("SELECT status, count(*) FROM email_results GROUP BY 1") == [("Delivery", 1 + posted // 50)]
        assert harness.rows("SELECT count(*) FROM unmatched_events") == [(0,)]
        lines = [line for line in logs if line["event"] == "events.refused"]
        assert len(lines) <= 30, "of each cause one in ten seconds"
        assert not [line for line in logs if line["log_level"] in {"error", "critical"}]


async def test_no_certificate_is_fetched_from_anywhere_else(path: Path) -> None:
    asked: list[str] = []

    async def note(url: str) -> bytes:
        asked.append(url)
        return STRANGER.pem

    assert len(set(URLS)) >= 90
    async with open_harness(path, download=note) as harness, serve(harness) as http:
        for url in URLS:
            fields = STRANGER.notification(event("Bounce", to=["victim@example.com"])) | {"SigningCertURL": url}
            status, _ = await http.post(body(fields))
            assert status == 403, url
        assert asked == []
        assert harness.rows("SELECT count(*) FROM suppressions") == [(0,)]


async def test_a_flood_of_invented_names_holds_no_genuine_event_up_also_after_a_restart(path: Path) -> None:
    async with open_harness(path, download=only_ours) as harness, serve(harness) as http:
        await genuine(harness, http, 0)

    async def nothing(_url: str) -> bytes:
        raise DownloadError("no route to host")

    async with (
        open_harness(path, download=nothing) as harness,
        serve(harness) as http,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        stranger = replace(http, session=session)
        flood = [asyncio.create_task(stranger.post(body(invented_name(event("Bounce"), each)))) for each in range(300)]
        for number in range(1, 20):
            await genuine(harness, http, number)
        for task in flood:
            task.cancel()
        await asyncio.gather(*flood, return_exceptions=True)


async def test_the_first_genuine_event_gets_through_a_flood_once_sns_has_repeated_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "_TIMEOUT", 0.05)
    async with open_harness(path, download=only_ours) as harness, serve(harness) as http:
        await harness.send("u-1", "ses-1")
        first = body(KEY.notification(event("Delivery", "u-1", message_id="ses-1")))
        number, status = 0, 0
        async with patience():
            while status != 200:
                for _ in range(20):
                    number += 1
                    assert (await http.post(body(invented_name(event("Bounce"), number))))[0] == 429
                status, _ = await http.post(first)
                assert status in {200, 429}
        assert harness.rows("SELECT status FROM email_results") == [("Delivery",)]


async def test_a_certificate_that_expired_is_not_kept_on(path: Path) -> None:
    spent = SnsKey(valid=(-3, -1))

    async def download(_url: str) -> bytes:
        return spent.pem

    async with open_harness(path, download=download) as harness, serve(harness) as http:
        assert (await http.post(body(spent.notification(event("Bounce")))))[0] == 429
        assert len(harness.rows("SELECT * FROM facts WHERE name LIKE 'sns certificate %'")) == 1
    async with open_harness(path) as harness:
        assert harness.rows("SELECT * FROM facts WHERE name LIKE 'sns certificate %'") == []
