"""The real client makes the same of the model of SES as of the sandbox, for the same requests."""

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from unittest import mock

import pytest

from email_consumer.message.model import EmailMessage
from email_consumer.ses.client import SesClient
from tests.factories import mail
from tests.integration.ses.sandbox import Sandbox, sandbox_process
from tests.servers.answers import STRANGE
from tests.servers.raw_server import Connection, raw_server
from tests.simulation.conformance.ses_sides import Work, described_account, on_model, on_server, sends
from tests.simulation.ses import courses
from tests.simulation.ses.courses import REFUSALS, Course
from tests.simulation.ses.service import Ses

pytestmark = pytest.mark.usefixtures("aws_environment")

MAILS = {
    "plain": mail(),
    "copies": mail(cc=["c@example.org", "d@example.org"], bcc=["e@example.org"]),
    "headers and tags": mail(headers={"X-Kind": "Grüße"}, tags={"kind": "bill"}, reply_to=["r@example.com"]),
    "attached": mail(attachments=[{"filename": "a.bin", "content": bytes(100_000)}], text="Hi"),
    "a uuid that is no tag": mail("no tag: ü"),
    "its own sender and set": mail(from_email="Other <other@example.com>", configuration_set="theirs"),
}


def sending(*messages: EmailMessage) -> Work:
    return lambda opened: sends(opened, *messages)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with sandbox_process(tmp_path_factory.mktemp("sandbox")) as url:
        yield url


@pytest.fixture
async def sandbox(url: str) -> AsyncIterator[Sandbox]:
    sandbox = Sandbox(url)
    await sandbox.reset()
    yield sandbox
    await sandbox.reset()


@pytest.mark.parametrize("name", MAILS)
async def test_the_same_requests_are_accepted(sandbox: Sandbox, name: str) -> None:
    message = MAILS[name]
    found, ses = on_model(sending(message))
    assert found == await on_server(sending(message), sandbox.url) == ["Sent with SES's id"]
    [accepted] = ses.accepted[message.tag]
    [stored] = (await sandbox.ask("GET", f"/messages?uuid={message.tag}"))["messages"]
    assert list(accepted.recipients) == stored["to"] + stored["cc"] + stored["bcc"]
    account = await sandbox.ask("GET", "/sandbox/account")
    assert ses.account.quota.used == account["sent_last_24_hours"]


Fault = dict[str, Any]

CASES: list[tuple[Course, Fault]] = [
    (courses.usual(), {"kind": "encode", "encoding": "gzip"}),
    (courses.answered_late(0.2), {"kind": "delay", "seconds": 0.2}),
    (courses.lost(), {"kind": "hang"}),
    (courses.unanswered(), {"kind": "hang_after"}),
    (courses.cut_before(), {"kind": "cut_before"}),
    (courses.cut_after(), {"kind": "cut_after"}),
    *(
        (courses.foreign(name, decided=decided), {"kind": "status_after" if decided else "status", "status": status})
        for name, status in {
            "a mesh's 503": 503,
            "a proxy's 502": 502,
            "a proxy's 504": 504,
            "a proxy's 407": 407,
            "a firewall's 403": 403,
            "a limiter's 429": 429,
            "a bare 500": 500,
            "a bare 400": 400,
            "queued by a proxy": 202,
        }.items()
        for decided in (False, True)
    ),
    *(
        (courses.refused(code, text), {"kind": "error", "code": code} | ({"message": text} if text else {}))
        for code, text, _ in REFUSALS
    ),
]


@pytest.mark.parametrize(("course", "fault"), CASES, ids=[course.name for course, _ in CASES])
async def test_each_course_ends_the_same(sandbox: Sandbox, course: Course, fault: Fault) -> None:
    await sandbox.fault(**fault)
    work = sending(mail("u-1"), mail("u-2"))
    found, ses = on_model(work, lambda ses: ses.script("u-1", course))
    assert found == await on_server(work, sandbox.url)
    if ses.accepted.get("u-1"):
        await sandbox.until_accepted("u-1")
    assert len(ses.accepted.get("u-1", [])) == await sandbox.accepted("u-1")


async def test_no_connection_ends_the_same() -> None:
    async with raw_server(_silent) as server:
        free = server.url
    found, _ = on_model(sending(mail()), lambda ses: ses.script_next(courses.no_connection()))
    assert found == await on_server(sending(mail()), free)


@pytest.mark.parametrize("name", ["half", "too large", "gzip, cut off", "gzip by name alone", "a bomb", "brotli"])
async def test_an_answer_that_cant_be_read_ends_the_same(name: str) -> None:
    found, _ = on_model(sending(mail()), lambda ses: ses.script_next(courses.unreadable()))
    async with raw_server(_answering(STRANGE[name])) as server:
        assert found == await on_server(sending(mail()), server.url)


@pytest.mark.parametrize(
    ("name", "same"),
    [("no id", "no message id"), ("id null", "a message id that is none"), ("a page", "a log-in page")],
)
async def test_a_200_that_ses_did_not_write_ends_the_same(name: str, same: str) -> None:
    found, _ = on_model(sending(mail()), lambda ses: ses.script_next(courses.foreign(same, decided=True)))
    async with raw_server(_answering(STRANGE[name])) as server:
        assert found == await on_server(sending(mail()), server.url)


def _slow(ses: Ses) -> None:
    ses.account.rate.rate = 2


def _used_up(ses: Ses) -> None:
    ses.account.quota.limit = 2


def _paused(ses: Ses) -> None:
    ses.account.sending_enabled = False


def _suspended(ses: Ses) -> None:
    ses.account.enforcement_status = "SHUTDOWN"


@pytest.mark.parametrize(
    ("prepare", "change"),
    [
        (_slow, {"max_send_rate": 2}),
        (_used_up, {"max_24_hour_send": 2}),
        (_paused, {"sending_enabled": False}),
        (_suspended, {"enforcement_status": "SHUTDOWN"}),
    ],
)
async def test_the_accounts_state_has_the_same_effects(
    sandbox: Sandbox, prepare: Callable[[Ses], None], change: dict[str, object]
) -> None:
    async def work(opened: SesClient) -> list[str]:
        before = await described_account(opened)
        return before + await sends(opened, mail("two", cc=["c@example.org"]), mail("one"))

    await sandbox.set_account(**change)
    found, _ = on_model(work, prepare)
    assert found == await on_server(work, sandbox.url)


async def test_expired_credentials_have_the_same_effects(sandbox: Sandbox) -> None:
    async def work(opened: SesClient) -> list[str]:
        return await sends(opened, mail()) + await described_account(opened)

    await sandbox.set_credentials(expired=True)

    def expire(ses: Ses) -> None:
        ses.world.after(0, lambda: ses.account.expire_credentials(renewed_after=1_000))

    found, _ = on_model(work, expire)
    assert found == await on_server(work, sandbox.url)


@pytest.mark.parametrize("skew", [-400.0, 400.0])
async def test_a_clock_that_is_off_has_the_same_effects(sandbox: Sandbox, skew: float) -> None:
    found, _ = on_model(sending(mail()), skew=skew)
    with mock.patch.object(time, "time", return_value=time.time() + skew):
        there = await on_server(sending(mail()), sandbox.url)
    moment = re.compile(r"\d{8}T\d{6}Z")
    assert [moment.sub("…", text) for text in found] == [moment.sub("…", text) for text in there]


def _answering(response: bytes) -> Callable[[Connection], Awaitable[None]]:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.answer(response)

    return script


async def _silent(_connection: Connection) -> None:
    """Answers nothing."""
