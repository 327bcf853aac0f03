"""Both HTTP clients against a server: what they ask, what they make of the answers, what they repeat."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import httpx
import pytest

from email_consumer_client import (
    Accepted,
    AccessError,
    ApiError,
    AsyncClient,
    Client,
    InvalidRequestError,
    Mail,
    Message,
    NotFoundError,
    Refused,
    UnexpectedAnswerError,
    UnreachableError,
    exchange,
)
from scripted_server import ACCEPTED, Answer, ScriptedServer

_MAIL = {
    "uuid": "u-1",
    "topic_id": None,
    "email": "a@example.com",
    "status": "Sent",
    "in_doubt": False,
    "error": None,
    "attempts": 1,
    "message_id": "ses-1",
    "source": "api",
    "scheduled_at": None,
    "expires_at": None,
    "created_at": "2026-11-28T09:00:00.123Z",
    "updated_at": "2026-11-28T09:00:01.000Z",
    "finished_at": "2026-11-28T09:00:01.000Z",
    "history": [{"at": "2026-11-28T09:00:00.500Z", "outcome": "transient", "reason": "503"}],
    "results": [
        {
            "at": "2026-11-28T09:00:02.000Z",
            "kind": "Delivery",
            "recipient": "a@example.com",
            "machine": False,
            "detail": {"x": 1},
        }
    ],
    "invented_later": True,
}
_LISTED = {
    "uuid": "u-1",
    "email": "a@example.com",
    "topic_id": "t",
    "status": "Sent",
    "state": "bounced",
    "reason": "Permanent/General",
    "created_at": "2026-11-28T09:00:00.123Z",
}
_TOPIC = {
    "request_counts": {"Sent": 3},
    "result_counts": {"Bounce": 1},
    "known": True,
    "cancellation": {"cancelled": 2, "sent": 3, "in_flight": 0, "final": True, "topic_id": "t"},
}

Send = Callable[..., Awaitable[Accepted]]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_FIRST_PAUSE", 0.001)


@pytest.fixture(params=["sync", "async"])
def send(request: pytest.FixtureRequest) -> Send:
    """Sends one mail to a server, with either client."""

    async def _send(url: str, **options: str) -> Accepted:
        message = Message(to="a@example.com", subject="s", body="b")
        if request.param == "sync":
            with Client(url, "key", timeout=20) as client:
                return client.send(message, **options)
        async with AsyncClient(url, "key", timeout=20) as asynchronous:
            return await asynchronous.send(message, **options)

    return _send


async def test_mail_is_posted_with_the_key(send: Send) -> None:
    with ScriptedServer() as server:
        accepted = await send(server.url + "/", idempotency_key="mine")
    assert (accepted.ids, accepted.refused, accepted.raw["total"]) == (["u-1"], (), 1)
    [asked] = server.asked
    assert (asked.method, asked.path) == ("POST", "/v1/messages")
    assert (asked.headers["x-api-key"], asked.headers["idempotency-key"]) == ("key", "mine")
    assert asked.message == {"emails": ["a@example.com"], "subject": "s", "content": "b"}


async def test_refused_recipients_are_named(send: Send) -> None:
    refused = {"ids": [None], "refused": [{"message": 0, "email": 0, "error": "no address", "later": 1}]}
    with ScriptedServer(Answer(200, ACCEPTED | refused)) as server:
        accepted = await send(server.url)
    assert (accepted.ids, accepted.refused) == ([None], (Refused(0, 0, "no address"),))


@pytest.mark.parametrize(
    "first",
    [
        Answer(503, {"error": {"code": "storage_unavailable", "message": "Try again."}}, {"Retry-After": "0"}),
        Answer(429, {"error": {"code": "too_many", "message": "Later."}}),
        Answer(502, b"<html>a proxy</html>"),
        Answer(200, None),
    ],
    ids=["503", "429", "proxy", "cut"],
)
async def test_it_is_repeated_with_the_same_key_and_body(send: Send, first: Answer) -> None:
    with ScriptedServer(first, Answer(200, ACCEPTED)) as server:
        assert (await send(server.url)).ids == ["u-1"]
    one, two = server.asked
    assert (one.headers["idempotency-key"], one.body) == (two.headers["idempotency-key"], two.body)


async def test_two_calls_have_two_keys(send: Send) -> None:
    with ScriptedServer() as server:
        await send(server.url)
        await send(server.url)
    assert len({asked.headers["idempotency-key"] for asked in server.asked}) == 2


@pytest.mark.parametrize(
    "answer", [Answer(503, {"error": {"code": "x", "message": "Try again."}}), Answer(504, b""), Answer(200, None)]
)
async def test_after_all_attempts_it_is_unreachable(send: Send, answer: Answer) -> None:
    with ScriptedServer(answer) as server, pytest.raises(UnreachableError, match=server.url):
        await send(server.url)
    assert len(server.asked) == 4


async def test_nothing_listens(send: Send) -> None:
    with ScriptedServer() as server:
        url = server.url
    with pytest.raises(UnreachableError, match=url):
        await send(url)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, AccessError),
        (403, AccessError),
        (404, NotFoundError),
        (400, InvalidRequestError),
        (413, InvalidRequestError),
        (422, InvalidRequestError),
        (500, ApiError),
    ],
)
async def test_an_error_has_the_words_of_the_api(send: Send, status: int, kind: type[ApiError]) -> None:
    error = {"error": {"code": "invalid", "message": "emails: wrong", "fields": ["messages.0.emails: wrong"]}}
    with ScriptedServer(Answer(status, error)) as server, pytest.raises(kind) as raised:
        await send(server.url)
    assert type(raised.value) is kind
    assert str(raised.value) == f"emails: wrong ({status} invalid)"
    assert (raised.value.status, raised.value.code) == (status, "invalid")
    assert raised.value.fields == ("messages.0.emails: wrong",)
    assert len(server.asked) == 1


async def test_the_detail_of_a_problem_document_is_shown(send: Send) -> None:
    problem = {"type": "about:blank", "title": "Bad Request", "detail": "The time is wrong."}
    with ScriptedServer(Answer(400, problem)) as server, pytest.raises(InvalidRequestError) as raised:
        await send(server.url)
    assert str(raised.value) == "The time is wrong. (400)"


@pytest.mark.parametrize(
    "answer",
    [Answer(200, b"<html>"), Answer(404, b"<html>"), Answer(200, {"ids": []}), Answer(200, [1])],
    ids=["page", "404", "incomplete", "list"],
)
async def test_the_answer_of_something_else(send: Send, answer: Answer) -> None:
    with ScriptedServer(answer) as server, pytest.raises(UnexpectedAnswerError):
        await send(server.url)


def test_a_uuid_is_not_ignored_over_http() -> None:
    with Client("http://127.0.0.1:9", "key") as client, pytest.raises(ValueError, match="idempotency_key"):
        client.send(Message(to="a@example.com", subject="s", body="b", uuid="u"))


def test_a_mail_is_read_back() -> None:
    with ScriptedServer(Answer(200, _MAIL)) as server, Client(server.url, "key") as client:
        mail = client.mail("a/b c")
    assert server.asked[0].path == "/v1/messages/a%2Fb%20c"
    assert (mail.status, mail.message_id, mail.raw["invented_later"]) == ("Sent", "ses-1", True)
    assert mail.created_at == datetime(2026, 11, 28, 9, 0, 0, 123000, UTC)
    assert (mail.history[0].outcome, mail.results[0].kind, mail.results[0].detail) == (
        "transient",
        "Delivery",
        {"x": 1},
    )


_PAGES = (
    Answer(200, {"mails": [_LISTED | {"uuid": "u-2"}], "next": "2"}),
    Answer(200, {"mails": [], "next": "1"}),
    Answer(200, {"mails": [_LISTED], "next": None}),
)


def test_a_list_of_several_pages() -> None:
    with ScriptedServer(*_PAGES) as server, Client(server.url, "key") as client:
        mails = [*client.mails(topic_id="a b", state="bounced", since=datetime(2026, 1, 1, tzinfo=UTC))]
    assert [(mail.uuid, mail.state, mail.reason) for mail in mails] == [
        ("u-2", "bounced", "Permanent/General"),
        ("u-1", "bounced", "Permanent/General"),
    ]
    query = "/v1/messages?topic_id=a+b&state=bounced&since=2026-01-01T00%3A00%3A00%2B00%3A00&limit=200&after="
    assert [asked.path for asked in server.asked] == [query, query + "2", query + "1"]


async def test_the_same_list_with_asyncio() -> None:
    with ScriptedServer(*_PAGES) as server:
        async with AsyncClient(server.url, "key") as client:
            assert [mail.uuid async for mail in client.mails(email="a@example.com")] == ["u-2", "u-1"]


def test_a_topic_is_shown_and_cancelled() -> None:
    answers = (Answer(200, _TOPIC), Answer(200, _TOPIC["cancellation"]))
    with ScriptedServer(*answers) as server, Client(server.url, "key") as client:
        topic, receipt = client.topic("t"), client.cancel("t")
    assert [(asked.method, asked.path) for asked in server.asked] == [
        ("GET", "/v1/topics/t"),
        ("DELETE", "/v1/topics/t"),
    ]
    assert (topic.request_counts, topic.result_counts, topic.known) == ({"Sent": 3}, {"Bounce": 1}, True)
    assert topic.cancellation == receipt
    assert (receipt.cancelled, receipt.final) == (2, True)


async def test_the_asynchronous_client_reads_the_same() -> None:
    answers = (Answer(200, _MAIL), Answer(200, _TOPIC), Answer(200, _TOPIC["cancellation"]))
    with ScriptedServer(*answers) as server:
        async with AsyncClient(server.url, "key") as client:
            mail, topic, receipt = await client.mail("u"), await client.topic("t"), await client.cancel("t")
    assert mail == Mail.from_json(json.loads(json.dumps(_MAIL)))
    assert topic.cancellation == receipt


def test_a_long_retry_after_is_cut() -> None:
    pause = exchange.pause_before_repeating(httpx.Response(503, headers={"Retry-After": "86400"}), 0)
    assert pause is not None
    assert 10 <= pause <= 15
