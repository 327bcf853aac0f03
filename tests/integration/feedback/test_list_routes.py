"""The suppression list and the mails in doubt over HTTP, and what a recipient's unsubscribe link does."""

from pathlib import Path
from urllib.parse import quote

import pytest
from structlog.testing import capture_logs

from email_consumer.core.ledger import Claim
from email_consumer.core.outcome import InDoubt
from email_consumer.suppression.unsubscribe import LinkTarget
from tests.factories import ORIGIN, event, mail
from tests.integration.feedback.harness import FeedbackHarness, open_harness
from tests.integration.feedback.http_harness import UNSUBSCRIBE, HttpHarness, serve

LIST = "/v1/suppressions"


def passes(harness: FeedbackHarness, address: str) -> bool:
    return harness.gate.check(mail("next", email=address), ORIGIN) is None


async def test_an_address_is_added_looked_up_and_removed(path: Path) -> None:
    async with open_harness(path) as harness, serve(harness) as http:
        status, entry = await http.ask("POST", LIST, {"address": "Ann <Ann@EXAMPLE.com>", "detail": "asked by phone"})
        assert status == 200
        assert (entry["address"], entry["reason"], entry["detail"], entry["source"]) == (
            "ann@example.com",
            "manual",
            "asked by phone",
            "api",
        )
        assert not passes(harness, "ann@example.com")
        assert await http.ask("GET", f"{LIST}/Ann@example.com") == (200, entry | {"also": []})
        assert await http.ask("GET", LIST) == (200, {"suppressions": [entry], "next": None})
        assert await http.ask("DELETE", f"{LIST}/ANN@example.com") == (200, entry | {"also": []})
        assert passes(harness, "ann@example.com")
        assert (await http.ask("DELETE", f"{LIST}/ann@example.com"))[0] == 404
        assert (await http.ask("GET", f"{LIST}/ann@example.com"))[0] == 404
        assert await http.ask("GET", LIST) == (200, {"suppressions": [], "next": None})


async def test_one_entry_stands_for_all_spellings_of_an_address(path: Path) -> None:
    async with open_harness(path) as harness, serve(harness) as http:
        await harness.send(email='"Dora"@bücher.example')
        await harness.take(event("Bounce", to=['"Dora"@BÜCHER.example']))
        for spelling in ("dora@xn--bcher-kva.example", "Dora@bücher.example", ' "dora"@Bücher.example'):
            assert not passes(harness, spelling)
            _, entry = await http.ask("POST", LIST, {"address": spelling})
            assert (entry["address"], entry["reason"]) == ("dora@xn--bcher-kva.example", "hard bounce")
            assert await http.ask("GET", f"{LIST}/{quote(spelling)}") == (200, entry | {"also": []})
        assert (await http.ask("DELETE", f"{LIST}/{quote('Dora <dora@bücher.example>')}"))[0] == 200
        assert passes(harness, '"dora"@bücher.example')
        assert harness.rows("SELECT DISTINCT recipient FROM email_results") == [("dora@xn--bcher-kva.example",)]


async def test_a_stronger_reason_stays_when_an_operator_adds_the_address_again(path: Path) -> None:
    async with open_harness(path) as harness, serve(harness) as http:
        await harness.send()
        await harness.take(event("Complaint"))
        _, entry = await http.ask("POST", LIST, {"address": "jane@example.com"})
        assert entry["reason"] == "complaint"
        assert entry["created_at"].startswith("2023-11-14T22:13:21")


async def test_the_list_is_paged_and_filtered(path: Path) -> None:
    async with open_harness(path) as harness, serve(harness) as http:
        for name in "cab":
            await http.ask("POST", LIST, {"address": f"{name}@example.com"})
        await harness.send()
        await harness.take(event("Bounce"))
        _, page = await http.ask("GET", f"{LIST}?limit=2")
        assert [each["address"] for each in page["suppressions"]] == ["a@example.com", "b@example.com"]
        _, rest = await http.ask("GET", f"{LIST}?limit=10&after={page['next']}")
        assert [each["address"] for each in rest["suppressions"]] == ["c@example.com", "jane@example.com"]
        _, bounced = await http.ask("GET", f"{LIST}?reason=hard%20bounce")
        assert [each["address"] for each in bounced["suppressions"]] == ["jane@example.com"]


@pytest.mark.parametrize(
    ("method", "url_path", "document", "status"),
    [
        ("POST", LIST, {"address": "nobody"}, 422),
        ("POST", LIST, {}, 422),
        ("GET", f"{LIST}?limit=0", None, 422),
        ("GET", f"{LIST}?reason=whim", None, 422),
        ("GET", f"{LIST}/nobody", None, 404),
        ("DELETE", f"{LIST}/nobody", None, 404),
        ("GET", "/v1/in-doubt?after=x", None, 422),
    ],
)
async def test_nonsense_is_refused(path: Path, method: str, url_path: str, document: object, status: int) -> None:
    async with open_harness(path) as harness, serve(harness) as http:
        assert (await http.ask(method, url_path, document))[0] == status
        assert (await http.ask(method, url_path, document, key="wrong"))[0] == 401


async def test_mails_in_doubt_are_listed_until_they_are_settled(path: Path) -> None:
    async with open_harness(path) as harness, serve(harness) as http:
        for number in (1, 2, 3):
            assert isinstance(await harness.claim(f"u-{number}", topic_id="t"), Claim)
        for number in (1, 2):
            await harness.finish(InDoubt("read time-out"), f"u-{number}", topic_id="t")
        _, page = await http.ask("GET", "/v1/in-doubt?limit=1")
        [first] = page["mails"]
        assert (first["uuid"], first["topic_id"], first["reason"]) == ("u-1", "t", "read time-out")
        _, rest = await http.ask("GET", f"/v1/in-doubt?after={page['next']}")
        assert ([each["uuid"] for each in rest["mails"]], rest["next"]) == (["u-2"], None)
        await harness.take(event("Send", "u-1"))
        _, after = await http.ask("GET", "/v1/in-doubt")
        assert [each["uuid"] for each in after["mails"]] == ["u-2"]


def link(address: str) -> str:
    return UNSUBSCRIBE.link(LinkTarget(address)).removeprefix("https://mail.example.com")


async def unsubscribe(http: HttpHarness, path: str, body: bytes | None, content_type: str) -> int:
    headers = {"Content-Type": content_type}
    async with http.session.post(http.url + path, data=body, headers=headers, allow_redirects=False) as answer:
        assert "Set-Cookie" not in answer.headers
        return answer.status


async def test_looking_at_the_page_does_not_unsubscribe(path: Path) -> None:
    async with open_harness(path) as harness, serve(harness) as http:
        async with http.session.get(http.url + link("ann@example.com"), allow_redirects=False) as answer:
            assert (answer.status, answer.content_type) == (200, "text/html")
            assert "<button>" in await answer.text()
            assert "Set-Cookie" not in answer.headers
            assert answer.headers["Cache-Control"] == "no-store"
        assert passes(harness, "ann@example.com")


FORM = "application/x-www-form-urlencoded"
MULTIPART = b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'


@pytest.mark.parametrize(
    ("body", "content_type"), [(b"List-Unsubscribe=One-Click", FORM), (MULTIPART, "multipart/form-data; boundary=b")]
)
async def test_one_click_unsubscribes(path: Path, body: bytes, content_type: str) -> None:
    async with open_harness(path) as harness, serve(harness) as http:
        assert await unsubscribe(http, link("ann@example.com"), body, content_type) == 200
        assert not passes(harness, "ann@example.com")
        _, entry = await http.ask("GET", f"{LIST}/ann@example.com")
        assert (entry["reason"], entry["source"]) == ("unsubscribed", "recipient")


async def test_a_link_that_is_used_again_and_again_is_logged_once(path: Path) -> None:
    async with open_harness(path) as harness, serve(harness) as http:
        with capture_logs() as logs:
            for _ in range(3):
                url_path = link("jane@example.com")
                assert await unsubscribe(http, url_path, b"List-Unsubscribe=One-Click", "text/plain") == 200
        assert [line["event"] for line in logs] == ["suppression.added"]


@pytest.mark.parametrize(
    ("url_path", "body", "status"),
    [
        ("/v1/unsubscribe/forged", b"List-Unsubscribe=One-Click", 404),
        (link("ann@example.com")[:-1], b"List-Unsubscribe=One-Click", 404),
        (link("ann@example.com"), b"", 400),
        (link("ann@example.com"), b"x" * 2**15, 413),
    ],
)
async def test_anything_else_does_not(path: Path, url_path: str, body: bytes, status: int) -> None:
    async with open_harness(path) as harness, serve(harness) as http:
        assert await unsubscribe(http, url_path, body, FORM) == status
        assert passes(harness, "ann@example.com")
