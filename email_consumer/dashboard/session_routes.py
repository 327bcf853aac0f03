"""Login and logout: the key, sent once as the header it always is, against a cookie."""

from aiohttp import web

from email_consumer.dashboard.sessions import COOKIE, LIFETIME, Sessions, brings_key
from email_consumer.web.routing import ApiError, ApiModel, answer, operation


class Standing(ApiModel):
    """What a browser may see; told to everyone."""

    logged_in: bool
    public: bool
    """The live numbers are shown without a key."""
    key_set: bool
    """False: there is no key that could open anything; set API_KEY."""


class SessionRoutes:
    def __init__(self, sessions: Sessions, *, public: bool, key_set: bool) -> None:
        self._sessions = sessions
        self._public = public
        self._key_set = key_set

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/session", self.show, allow_head=False),
            web.post("/v1/session", self.begin),
            web.delete("/v1/session", self.end),
        ]

    @operation("Whether this browser is logged in", answer=Standing, open_to_all=True)
    async def show(self, request: web.Request) -> web.Response:
        return answer(self._standing(logged_in=self._sessions.holds(request)))

    @operation("Log in: the key against a cookie that only this program's page can use", answer=Standing)
    async def begin(self, request: web.Request) -> web.Response:
        if not brings_key(request):  # a session must not prolong itself for ever
            raise ApiError(401, "unauthorized", "Missing or invalid API key.")
        response = answer(self._standing(logged_in=True))
        response.set_cookie(
            COOKIE,
            self._sessions.begin(),
            max_age=LIFETIME,
            httponly=True,
            samesite="Strict",
            # The proxy that ends TLS may not tell us of it; the browser does.
            secure=request.secure or request.headers.get("Origin", "").startswith("https:"),
        )
        return response

    @operation("Log out", status=204)
    async def end(self, request: web.Request) -> web.Response:
        self._sessions.end(request)
        response = web.Response(status=204)
        response.del_cookie(COOKIE, httponly=True, samesite="Strict")
        return response

    def _standing(self, *, logged_in: bool) -> Standing:
        return Standing(logged_in=logged_in, public=self._public, key_set=self._key_set)
