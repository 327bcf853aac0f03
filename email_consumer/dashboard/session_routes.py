"""Login and logout: exchanges an API key for a session cookie."""

from aiohttp import web

from email_consumer.core.safe_mode import Kind as SafeModeKind
from email_consumer.dashboard.sessions import COOKIE, LIFETIME, Sessions, brings_key
from email_consumer.web.grant import ANY_KEY, GRANT, Grant, scope_names
from email_consumer.web.routing import ApiError, ApiModel, answer, operation


class Installation(ApiModel):
    """What the page says about where it is; public."""

    local: bool
    """Local mode: no real mail is sent."""
    safe_mode: SafeModeKind
    """What happens to mail for addresses that safe mode does not allow."""
    timezone: str
    """In which days begin and naive times are read."""


class SessionState(Installation):
    """What this browser may see; public."""

    logged_in: bool
    public: bool
    """Whether the live numbers are public."""
    key_set: bool
    """False if API_KEY is not set, so that nobody can log in."""
    scopes: list[str]
    """What the session allows: `send`, `read`, `admin`."""


class SessionRoutes:
    def __init__(self, sessions: Sessions, installation: Installation, *, public: bool, key_set: bool) -> None:
        self._sessions = sessions
        self._installation = installation
        self._public = public
        self._key_set = key_set

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/session", self.show),
            web.post("/v1/session", self.begin),
            web.delete("/v1/session", self.end),
        ]

    @operation("Whether this browser is logged in", answer=SessionState, open_to_all=True)
    async def show(self, request: web.Request) -> web.Response:
        return answer(self._state(self._sessions.grant(request)))

    @operation("Log in: exchange the API key for a session cookie", answer=SessionState, scope=ANY_KEY)
    async def begin(self, request: web.Request) -> web.Response:
        if not brings_key(request):  # a session must not be able to renew itself
            raise ApiError(401, "unauthorized", "Missing or invalid API key.")
        grant = request[GRANT]
        response = answer(self._state(grant))
        response.set_cookie(
            COOKIE,
            self._sessions.begin(grant),
            max_age=LIFETIME,
            httponly=True,
            samesite="Strict",
            # With a TLS proxy in front the request looks like plain HTTP; the browser knows.
            secure=request.secure or request.headers.get("Origin", "").startswith("https:"),
        )
        return response

    @operation("Log out", status=204, scope=ANY_KEY)
    async def end(self, request: web.Request) -> web.Response:
        self._sessions.end(request)
        response = web.Response(status=204)
        response.del_cookie(COOKIE, httponly=True, samesite="Strict")
        return response

    def _state(self, grant: Grant | None) -> SessionState:
        return SessionState(
            **self._installation.model_dump(),
            logged_in=grant is not None,
            public=self._public,
            key_set=self._key_set,
            scopes=scope_names(grant.scopes) if grant else [],
        )
