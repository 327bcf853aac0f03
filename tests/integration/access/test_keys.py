"""Stored keys: made once, shown once, and what each of them opens."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from email_consumer.web.api_keys import key_digest
from tests.factories import new_message
from tests.integration.access.harness import access


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "email.db"


async def test_a_key_is_shown_once_and_stored_as_a_digest_alone(path: Path) -> None:
    async with access(path) as harness:
        added = await harness.add("read", name="reports", more={"expires_at": "2099-01-01T00:00:00Z"})
        key = added.pop("key")
        assert (len(key) >= 43, key[:10]) == (True, added["hint"])
        _, listed = await harness.ask("GET", "/v1/keys")
        assert listed["keys"] == [added]
        assert (added["name"], added["scopes"], added["expired"]) == ("reports", ["read"], False)
        [row] = await harness.database.fetch("SELECT * FROM api_keys")
        assert row["digest"] == key_digest(key)
        assert key not in str([*row])
    async with access(path) as harness:  # after a restart
        assert (await harness.ask("GET", "/v1/things", key=key))[0] == 200
        assert (await harness.ask("GET", "/v1/things", key=None, Authorization=f"Bearer {key}"))[0] == 200
        for wrong in (key[:-1], key + "x", key.lower(), added["id"], added["hint"], key_digest(key).hex()):
            assert (await harness.ask("GET", "/v1/things", key=wrong))[0] == 401


@pytest.mark.parametrize(
    ("scopes", "opens"),
    [
        (["send"], {"send"}),
        (["read"], {"read"}),
        (["send", "read"], {"send", "read"}),
        (["admin"], {"send", "read", "admin"}),
    ],
)
async def test_a_key_opens_what_its_scopes_say(path: Path, scopes: list[str], opens: set[str]) -> None:
    async with access(path) as harness:
        key = (await harness.add(*scopes))["key"]
        tried = {
            "send": await harness.ask("POST", "/v1/messages", {"messages": [new_message()]}, key=key),
            "read": await harness.ask("GET", "/v1/things", key=key),
            "admin": await harness.ask("DELETE", "/v1/things/1", key=key),
        }
        assert {scope for scope, (status, _) in tried.items() if status == 200} == opens
        for scope in tried.keys() - opens:
            status, answer = tried[scope]
            assert (status, answer["error"]["message"]) == (403, f"This key lacks the scope {scope}.")
        assert (await harness.ask("GET", "/v1/others", key=key))[0] == (200 if "admin" in opens else 403)


async def test_a_key_ends_when_it_is_removed_or_expires(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with access(path) as harness:
        removed, expiring = (
            await harness.add("read"),
            await harness.add("read", more={"expires_at": "2090-01-01T00:00:00Z"}),
        )
        assert (await harness.ask("DELETE", f"/v1/keys/{removed['id']}"))[0] == 200
        assert (await harness.ask("DELETE", f"/v1/keys/{removed['id']}"))[0] == 404
        assert (await harness.ask("GET", "/v1/things", key=removed["key"]))[0] == 401
        assert (await harness.ask("GET", "/v1/things", key=expiring["key"]))[0] == 200
        monkeypatch.setattr(time, "time", lambda: 4_000_000_000.0)
        assert (await harness.ask("GET", "/v1/things", key=expiring["key"]))[0] == 401
        _, listed = await harness.ask("GET", "/v1/keys")
        assert [each["expired"] for each in listed["keys"]] == [True]


async def test_the_last_use_is_written_now_and_then(path: Path) -> None:
    async with access(path) as harness:
        used, unused = await harness.add("read"), await harness.add("read")
        await harness.ask("GET", "/v1/things", key=used["key"])
        assert [key.last_used_at for key in harness.keys.all] == [None, None]
        await harness.keys.write_uses()
        found = {key.grant.key_id: key.last_used_at for key in harness.keys.all}
        assert found[unused["id"]] is None
        assert found[used["id"]] == pytest.approx(time.time(), abs=60)


async def test_a_session_has_the_scopes_of_its_key_and_ends_with_it(path: Path) -> None:
    async with access(path) as harness:
        added = await harness.add("read")
        url = f"http://127.0.0.1:{harness.port}/v1/session"
        async with harness.session.post(url, headers={"X-API-KEY": added["key"]}) as response:
            assert (await response.json())["scopes"] == ["read"]
            cookie = response.headers["Set-Cookie"].partition(";")[0]
        page = {"Cookie": cookie, "Sec_Fetch_Site": "same-origin"}
        assert (await harness.ask("GET", "/v1/things", key=None, **page))[0] == 200
        assert (await harness.ask("DELETE", "/v1/things/1", key=None, **page))[0] == 403
        assert (await harness.ask("GET", "/v1/session", key=None, **page))[1]["scopes"] == ["read"]
        await harness.ask("DELETE", f"/v1/keys/{added['id']}")
        assert (await harness.ask("GET", "/v1/things", key=None, **page))[0] == 401
        assert (await harness.ask("GET", "/v1/session", key=None, **page))[1]["logged_in"] is False


LIMITS: dict[str, object] = {"topics": ["orders", "news-*"], "senders": ["shop@example.com", "example.org"]}


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"topic_id": "orders", "from_email": "Shop <SHOP@example.com>"}, ""),
        ({"topic_id": "news-may", "from_email": "anybody@example.org"}, ""),
        ({"topic_id": "orders-2", "from_email": "shop@example.com"}, "topic_id"),
        ({"from_email": "shop@example.com"}, "topic_id"),
        ({"topic_id": "orders", "from_email": "ceo@example.com"}, "from_email"),
        ({"topic_id": "orders", "from_email": "x@sub.example.org"}, "from_email"),
        ({"topic_id": "orders"}, "from_email"),
    ],
)
async def test_topics_and_senders_of_a_key(path: Path, fields: dict[str, object], refused: str) -> None:
    async with access(path) as harness:
        key = (await harness.add("send", more=LIMITS))["key"]
        allowed = new_message(topic_id="orders", from_email="shop@example.com")
        messages = [allowed, new_message(**fields)]
        status, answer = await harness.ask("POST", "/v1/messages", {"messages": messages}, key=key)
        rows = await harness.database.fetch("SELECT topic_id FROM email_requests")
        if refused:
            assert (status, answer["error"]["code"]) == (403, "forbidden")
            assert answer["error"]["message"].startswith(f"messages.1.{refused}: ")
            assert rows == []
        else:
            assert (status, len(rows)) == (200, 2)


def _of_all_and_of_each(name: str, value: str) -> Iterator[dict[str, object]]:
    yield {"messages": [new_message()], name: value}
    yield {"messages": [new_message(**{name: value})]}


@pytest.mark.parametrize(("name", "own", "other"), [("lane", "transactional", "bulk"), ("tenant", "acme", "other")])
async def test_a_key_fixes_lane_or_tenant(path: Path, name: str, own: str, other: str) -> None:
    async with access(path) as harness:
        key = (await harness.add("send", more={name: own}))["key"]
        bodies = [{"messages": [new_message()]}, *_of_all_and_of_each(name, own)]
        for body in bodies:
            assert (await harness.ask("POST", "/v1/messages", body, key=key))[0] == 200
        for body in _of_all_and_of_each(name, other):
            status, answer = await harness.ask("POST", "/v1/messages", body, key=key)
            assert (status, answer["error"]["code"]) == (403, "forbidden")
        rows = await harness.database.fetch("SELECT lane, tenant FROM email_requests")
        assert [row[name] for row in rows] == [own] * len(bodies)


async def test_no_key_gets_the_answer_to_the_idempotency_key_of_another(path: Path) -> None:
    async with access(path) as harness:
        answers = []
        keys = [(await harness.add("send"))["key"] for _ in range(2)]
        for key in (*keys, *keys):
            body = {"messages": [new_message()]}
            _, answer = await harness.ask("POST", "/v1/messages", body, key=key, Idempotency_Key="order-1")
            answers.append(answer["ids"])
        assert answers[:2] == answers[2:]
        assert answers[0] != answers[1]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["root"]}, "scopes"),
        ({"scopes": ["admin"], "topics": ["orders"]}, "scopes"),
        ({"scopes": ["send", "read"], "tenant": "acme"}, "scopes"),
        ({"scopes": ["send"], "senders": ["*.example.com"]}, "senders"),
        ({"scopes": ["send"], "lane": "fast"}, "lane"),
        ({"scopes": ["send"], "expires_at": "2001-01-01"}, "expires_at"),
        ({"scopes": ["send"], "expires_at": "tomorrow"}, "expires_at"),
        ({"scopes": ["send"], "name": ""}, "name"),
    ],
)
async def test_what_can_not_be_a_key_is_refused(path: Path, fields: dict[str, object], field: str) -> None:
    async with access(path) as harness:
        status, answer = await harness.ask("POST", "/v1/keys", {"name": "a key", **fields})
        assert status in {400, 422}
        assert field in answer["error"]["message"] + str(answer["error"]["fields"])
        assert harness.keys.all == []


async def test_there_are_not_more_keys_than_memory_is_meant_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("email_consumer.access.keys.MOST", 1)
    async with access(path) as harness:
        await harness.add("send")
        assert (await harness.ask("POST", "/v1/keys", {"name": "b", "scopes": ["send"]}))[0] == 409


@pytest.mark.parametrize(
    "misspelled", [{"lanes": "bulk"}, {"tenants": "acme"}, {"topic": ["t"]}, {"expires": "2099-01-01"}]
)
async def test_a_misspelled_limit_makes_no_key_without_it(path: Path, misspelled: dict[str, object]) -> None:
    async with access(path) as harness:
        status, answer = await harness.ask("POST", "/v1/keys", {"name": "n", "scopes": ["send"], **misspelled})
        [field] = misspelled
        assert (status, answer["error"]["message"]) == (422, f"{field}: is not a known field")
        assert (await harness.ask("GET", "/v1/keys"))[1] == {"keys": []}
