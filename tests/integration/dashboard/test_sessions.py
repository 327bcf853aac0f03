"""Who gets in with a cookie, and what it may do."""

import pytest

from email_consumer.dashboard.sessions import LIFETIME
from tests.integration.dashboard.harness import KEY, DashboardHarness, run_harness

HERE = {"local": False, "safe_mode": "off", "timezone": "Asia/Seoul"}

SAME = {"Sec_Fetch_Site": "same-origin"}


async def test_only_a_right_key_gets_a_cookie() -> None:
    async with run_harness() as harness:
        for headers in ({}, {"X_API_KEY": "wrong"}, {"X_API_KEY": ""}, {"Authorization": "Bearer wrong"}):
            status, answer, answered = await harness.ask("POST", "/v1/session", **headers)
            assert (status, answer["error"]["code"]) == (401, "unauthorized")
            assert "Set-Cookie" not in answered
        status, answer, answered = await harness.ask("POST", "/v1/session", X_API_KEY=KEY)
        scopes = ["send", "read", "admin"]
        known = {"logged_in": True, "public": False, "key_set": True, "scopes": scopes}
        assert (status, answer) == (200, HERE | known)
        value, *flags = answered["Set-Cookie"].split("; ")
        assert {"HttpOnly", "SameSite=Strict", "Path=/", f"Max-Age={LIFETIME}"} <= set(flags)
        assert KEY not in value
        assert len(value) > 60
        assert harness.host.partition(":")[0] not in answered["Set-Cookie"]  # a Domain would widen it


async def test_the_cookie_is_secure_where_the_browser_came_by_https() -> None:
    async with run_harness() as harness:
        for origin, secure in ((f"https://{harness.host}", True), (f"http://{harness.host}", False)):
            _, _, answered = await harness.ask("POST", "/v1/session", X_API_KEY=KEY, Origin=origin)
            assert ("Secure" in answered["Set-Cookie"]) is secure


async def test_the_cookie_opens_what_the_page_needs_until_logout() -> None:
    async with run_harness() as harness:
        assert await harness.status("GET", "/v1/thing") == 401
        cookie = await harness.log_in()
        assert await harness.status("GET", "/v1/thing", Cookie=cookie) == 200
        assert await harness.status("POST", "/v1/thing", Cookie=cookie, **SAME) == 200
        assert (await harness.ask("GET", "/v1/session", Cookie=cookie))[1]["logged_in"]
        status, _, answered = await harness.ask("DELETE", "/v1/session", Cookie=cookie, **SAME)
        assert (status, "Max-Age=0" in answered["Set-Cookie"]) == (204, True)
        assert await harness.status("GET", "/v1/thing", Cookie=cookie) == 401
        assert not (await harness.ask("GET", "/v1/session", Cookie=cookie))[1]["logged_in"]


async def test_a_session_expires_and_can_not_renew_itself() -> None:
    async with run_harness() as harness:
        cookie = await harness.log_in()
        harness.seconds[0] = LIFETIME - 1
        assert await harness.status("GET", "/v1/thing", Cookie=cookie) == 200
        assert await harness.status("POST", "/v1/session", Cookie=cookie, **SAME) == 401
        harness.seconds[0] = LIFETIME + 1
        assert await harness.status("GET", "/v1/thing", Cookie=cookie) == 401


@pytest.mark.parametrize("cookie", ["email_consumer_session=", "email_consumer_session=guess", "other=1", "="])
async def test_made_up_cookies_open_nothing(cookie: str) -> None:
    async with run_harness() as harness:
        assert await harness.status("GET", "/v1/thing", Cookie=cookie) == 401


async def test_a_request_with_a_wrong_key_is_not_saved_by_its_cookie() -> None:
    async with run_harness() as harness:
        cookie = await harness.log_in()
        assert await harness.status("GET", "/v1/thing", Cookie=cookie, X_API_KEY="wrong") == 401
        assert await harness.status("POST", "/v1/session", Cookie=cookie, X_API_KEY="wrong", **SAME) == 401


async def test_another_site_can_do_nothing_with_the_cookie() -> None:
    async with run_harness() as harness:
        cookie = await harness.log_in()

        async def code(method: str, **headers: str) -> int:
            return await harness.status(method, "/v1/thing", Cookie=cookie, **headers)

        for site in ("cross-site", "same-site", "none", "", "SAME-ORIGIN"):
            assert await code("POST", Sec_Fetch_Site=site, Origin=f"http://{harness.host}") == 403
        for site in ("cross-site", "same-site"):
            assert await code("GET", Sec_Fetch_Site=site) == 403
        assert await code("GET", Sec_Fetch_Site="none") == 200  # typed into the address bar
        # Browsers leave the header out over plain HTTP to another machine; Origin is then what tells.
        assert await code("POST", Origin=f"http://{harness.host}") == 200
        for origin in (
            "http://evil.example",
            f"http://{harness.host}.evil.example",
            f"http://{harness.host}0",
            "null",
            "",
        ):
            assert await code("POST", Origin=origin) == 403
        assert await code("POST") == 403


async def test_without_a_key_nothing_opens_and_the_page_shows_why() -> None:
    async with run_harness(keys=()) as harness:
        assert (await harness.ask("GET", "/v1/session"))[1] == HERE | {
            "logged_in": False,
            "public": False,
            "key_set": False,
            "scopes": [],
        }
        assert await harness.status("POST", "/v1/session", X_API_KEY="") == 401


async def test_sessions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("email_consumer.dashboard.sessions._MAX_SESSIONS", 3)
    async with run_harness() as harness:
        cookies = [await harness.log_in() for _ in range(5)]
        assert [await _opens(harness, cookie) for cookie in cookies] == [False, False, True, True, True]


async def _opens(harness: DashboardHarness, cookie: str) -> bool:
    return await harness.status("GET", "/v1/thing", Cookie=cookie) == 200
