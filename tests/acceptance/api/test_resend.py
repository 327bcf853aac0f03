"""Resend's official SDK for Python, pointed at the daemon by its variable: what it sends arrives, and errors are its own."""

import asyncio
import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
import resend
from resend.exceptions import (
    InvalidApiKeyError,
    MissingRequiredFieldsError,
    ResendError,
    ValidationError,
)

from tests.acceptance.api.conftest import KEY, Api
from tests.waiting import until

Answer = TypeVar("Answer")
MAIL: dict[str, Any] = {
    "from": "Shop <shop@example.com>",
    "to": ["anna@example.com"],
    "subject": "Your order",
    "html": "<p>Thank you</p>",
}


class Sdk:
    """The SDK, whose calls block."""

    def __init__(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(resend, "api_url", f"http://127.0.0.1:{api.port}")
        monkeypatch.setattr(resend, "api_key", KEY)
        self._monkeypatch = monkeypatch

    def use_key(self, key: str) -> None:
        self._monkeypatch.setattr(resend, "api_key", key)

    async def call(self, function: Callable[..., Answer], *arguments: Any) -> Answer:
        return await asyncio.to_thread(function, *arguments)

    async def send(self, **fields: Any) -> str:
        return str((await self.call(resend.Emails.send, MAIL | fields))["id"])

    async def fails(self, kind: type[ResendError], text: str, **fields: Any) -> ResendError:
        with pytest.raises(kind, match=text) as caught:
            await self.send(**fields)
        return caught.value


@pytest.fixture
def sdk(api: Api, monkeypatch: pytest.MonkeyPatch) -> Sdk:
    return Sdk(api, monkeypatch)


async def arrived(api: Api, uuid: str) -> dict[str, Any]:
    """As SES got it."""

    async def found() -> list[dict[str, Any]]:
        return list((await api.harness.sandbox.get("/messages", uuid=uuid))["messages"])

    await until(found)
    return (await found())[0]


async def test_what_it_sends_arrives(api: Api, sdk: Sdk) -> None:
    file = b"a,b\r\n"
    uuid = await sdk.send(
        text="Thank you",
        cc="bob@example.com",
        bcc=["carol@example.com"],
        reply_to="help@example.com",
        headers={"X-Entity-Ref-ID": "1"},
        tags=[{"name": "kind", "value": "order"}],
        attachments=[
            {"filename": "a.csv", "content": list(file)},
            {"filename": "b.bin", "content": base64.b64encode(file).decode(), "content_id": "b"},
        ],
    )
    mail = await arrived(api, uuid)
    assert (mail["to"], mail["cc"], mail["bcc"]) == (["anna@example.com"], ["bob@example.com"], ["carol@example.com"])
    _, shown = await api.ask("GET", f"/v1/messages/{uuid}/content")
    kinds = {each["filename"]: each["content_type"] for each in shown["attachments"]}
    assert kinds == {"a.csv": "text/csv", "b.bin": "application/octet-stream"}
    assert (shown["headers"], shown["from_email"]) == ({"X-Entity-Ref-ID": "1"}, MAIL["from"])
    assert (await api.mail(uuid))["lane"] == "transactional"
    await until(lambda: _is(sdk, uuid, "sent", "delivered"))
    email: Any = await sdk.call(resend.Emails.get, uuid)
    assert (email["to"], email["cc"], email["reply_to"]) == (
        ["anna@example.com"],
        ["bob@example.com"],
        ["help@example.com"],
    )
    assert (email["html"], email["text"], email["subject"]) == (MAIL["html"], "Thank you", MAIL["subject"])
    assert email["tags"] == [{"name": "kind", "value": "order"}]


async def _is(sdk: Sdk, uuid: str, *events: str) -> bool:
    email: Any = await sdk.call(resend.Emails.get, uuid)
    return email["last_event"] in events


async def test_a_tag_or_header_chooses_the_lane(api: Api, sdk: Sdk) -> None:
    tagged = await sdk.send(tags=[{"name": "lane", "value": "bulk"}])
    headed = await sdk.send(headers={"Email-Lane": "bulk"})
    assert [(await api.mail(uuid))["lane"] for uuid in (tagged, headed)] == ["bulk", "bulk"]
    email: Any = await sdk.call(resend.Emails.get, tagged)
    assert email["tags"] == []


async def test_batches(api: Api, sdk: Sdk) -> None:
    mails: Any = [MAIL | {"to": f"user{number}@example.com"} for number in range(3)]
    sent: Any = await sdk.call(resend.Batch.send, mails)
    uuids = [each["id"] for each in sent["data"]]
    assert len({(await arrived(api, uuid))["to"][0] for uuid in uuids}) == 3
    wrong: Any = [*mails, MAIL | {"to": "nobody"}]
    with pytest.raises(ValidationError, match="Email 3: `to`"):
        await sdk.call(resend.Batch.send, wrong)
    partly: Any = await sdk.call(resend.Batch.send, wrong, {"batch_validation": "permissive"})
    assert len(partly["data"]) == 3
    assert [each["index"] for each in partly["errors"]] == [3]


async def test_scheduled_mail_is_moved_and_cancelled(api: Api, sdk: Sdk) -> None:
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    cancelled, moved = await sdk.send(scheduled_at=later), await sdk.send(scheduled_at=later)
    assert await _is(sdk, cancelled, "scheduled")
    assert (await sdk.call(resend.Emails.cancel, cancelled))["id"] == cancelled
    assert await _is(sdk, cancelled, "canceled")
    changes: list[Callable[[], object]] = [
        lambda: resend.Emails.cancel(cancelled),
        lambda: resend.Emails.update({"id": cancelled, "scheduled_at": later}),
    ]
    for change in changes:
        with pytest.raises(ValidationError, match="not scheduled any more"):
            await sdk.call(change)
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    assert (await sdk.call(resend.Emails.update, {"id": moved, "scheduled_at": soon}))["id"] == moved
    await arrived(api, moved)
    assert await api.harness.sent() == {moved: 1}


async def test_a_repeated_request_sends_once(api: Api, sdk: Sdk) -> None:
    options: Any = {"idempotency_key": "order-1"}
    mail: Any = MAIL
    first = await sdk.call(resend.Emails.send, mail, options)
    again = await sdk.call(resend.Emails.send, mail, options)
    assert first["id"] == again["id"]
    with pytest.raises(ResendError) as caught:
        await sdk.call(resend.Emails.send, MAIL | {"subject": "Another"}, options)
    assert (caught.value.code, caught.value.error_type) == (409, "invalid_idempotent_request")
    await arrived(api, first["id"])
    await api.harness.emptied()
    assert await api.harness.sent() == {first["id"]: 1}


async def test_errors_are_those_that_it_knows(api: Api, sdk: Sdk) -> None:
    await sdk.fails(MissingRequiredFieldsError, "from", **{"from": ""})
    await sdk.fails(MissingRequiredFieldsError, "html", html="")
    wrong: dict[str, dict[str, Any]] = {
        "one address": {"to": ["a@example.com", "b@example.com"]},
        r"^`to`: .* must have an @-sign\.$": {"to": "nobody"},
        "templates": {"template": {"id": "welcome"}},
        "remote files": {"attachments": [{"path": "https://example.com/a.pdf"}]},
        "base64": {"attachments": [{"filename": "a", "content": "?"}]},
        r"^scheduled_at is not a time": {"scheduled_at": "in 1 min"},
        "object": {"headers": 5},
        "must be a list": {"attachments": "a.pdf"},
        "cc.0": {"cc": [{"a": 1}, "b"]},
        "characters": {"tags": [{"name": "a b", "value": "c"}]},
    }
    for text, fields in wrong.items():
        await sdk.fails(ValidationError, text, **fields)
    with pytest.raises(ResendError, match="not found") as caught:
        await sdk.call(resend.Emails.get, "49a3999c")
    assert (caught.value.code, caught.value.error_type) == (404, "not_found")
    sdk.use_key("re_wrong")
    await sdk.fails(InvalidApiKeyError, "API key")
    async with api.session.post(
        f"http://127.0.0.1:{api.port}/emails", json=MAIL, headers={"X-API-KEY": ""}
    ) as response:
        assert response.status == 403


async def test_a_key_with_limits(api: Api, sdk: Sdk) -> None:
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    other = await sdk.send(scheduled_at=later, **{"from": "ceo@example.com"})
    limits = {"name": "shop", "scopes": ["send"], "senders": ["shop@example.com"], "lane": "bulk"}
    _, added = await api.ask("POST", "/v1/keys", limits)
    sdk.use_key(added["key"])
    own = await sdk.send(scheduled_at=later)
    assert (await api.mail(own))["lane"] == "bulk"
    assert (await sdk.call(resend.Emails.cancel, own))["id"] == own
    mail: Any = MAIL | {"from": "ceo@example.com"}
    refused: list[Callable[[], object]] = [
        lambda: resend.Emails.cancel(other),
        lambda: resend.Emails.get(own),
        lambda: resend.Emails.send(mail),
    ]
    for each in refused:
        with pytest.raises(ResendError) as caught:
            await sdk.call(each)
        assert (caught.value.code, caught.value.error_type) == (401, "restricted_api_key")
