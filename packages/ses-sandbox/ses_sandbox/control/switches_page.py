"""The switches of the sandbox as a page: faults, the account, events. Its forms do what the routes of `/sandbox` do."""

from collections.abc import Callable, Mapping
from html import escape

from aiohttp import web
from pydantic import ValidationError

from ses_sandbox.account import Account
from ses_sandbox.control.account_routes import AccountChange, change_account
from ses_sandbox.control.event_routes import EventsChange, change_events
from ses_sandbox.control.layout import page
from ses_sandbox.events.settings import EVENT_TYPES, EventSettings
from ses_sandbox.faults import Fault, Faults, FaultScript

_ACTIONS: dict[str, tuple[str, dict[str, object]]] = {
    "throttle": ("Throttle it", {"kind": "error", "code": "TooManyRequestsException"}),
    "reject": ("Reject it", {"kind": "error", "code": "MessageRejected"}),
    "quota": ("Daily quota exceeded", {"kind": "error", "code": "LimitExceededException"}),
    "paused": ("Account is paused", {"kind": "error", "code": "SendingPausedException"}),
    "fail": ("Internal failure (500)", {"kind": "error", "code": "InternalFailure"}),
    "unavailable": ("Bare 503, as of a proxy", {"kind": "status", "status": 503}),
    "slow": ("Answer after 5 s", {"kind": "delay", "seconds": 5}),
    "hang": ("Never answer", {"kind": "hang"}),
    "hang_after": ("Accept, and never answer", {"kind": "hang_after"}),
    "cut_before": ("Cut the connection", {"kind": "cut_before"}),
    "cut_after": ("Accept, and cut the connection", {"kind": "cut_after"}),
}
_NUMBERS = {
    "duplicates": ("Copies of each", "1"),
    "delay": ("Delay (s)", "any"),
    "retry_delay": ("Seconds between attempts", "any"),
}


class SwitchesPage:
    """`/switches`."""

    def __init__(self, faults: Faults, account: Account, settings: EventSettings) -> None:
        self._faults = faults
        self._account = account
        self._settings = settings

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/switches", self.show),
            web.post("/switches/faults", self.add_fault),
            web.post("/switches/faults/clear", self.clear_faults),
            web.post(r"/switches/faults/{id:[0-9]{1,18}}/remove", self.remove_fault),
            web.post("/switches/account", self.change_account),
            web.post("/switches/events", self.change_events),
        ]

    async def show(self, _request: web.Request) -> web.Response:
        """All switches as they are."""
        return self._page()

    async def add_fault(self, request: web.Request) -> web.Response:
        """Script one of the usual faults; the API knows more."""
        form = await request.post()
        match = {name: value for name in ("to", "subject") if (value := _text(form, name))}
        action = _ACTIONS.get(_text(form, "action"), ("", {}))[1]
        script = {"action": action, "match": match, "times": _text(form, "times") or None}
        return self._done(lambda: self._faults.add(FaultScript.model_validate(script)))

    async def clear_faults(self, _request: web.Request) -> web.Response:
        """Remove all."""
        return self._done(self._faults.scripted.clear)

    async def remove_fault(self, request: web.Request) -> web.Response:
        """Remove one, if it is still there."""
        return self._done(lambda: self._faults.scripted.pop(int(request.match_info["id"]), None))

    async def change_account(self, request: web.Request) -> web.Response:
        """Change status and limits."""
        form = await request.post()
        change = {
            "sending_enabled": "sending_enabled" in form,
            "max_send_rate": _text(form, "max_send_rate"),
            "max_24_hour_send": _text(form, "max_24_hour_send"),
        }
        return self._done(lambda: change_account(self._account, AccountChange.model_validate(change)))

    async def change_events(self, request: web.Request) -> web.Response:
        """Change what events there are, and how they are posted."""
        form = await request.post()
        change = {
            "enabled": "enabled" in form,
            "shuffle": "shuffle" in form,
            "types": [kind for kind in EVENT_TYPES if kind in form],
            **{name: _text(form, name) for name in _NUMBERS},
        }
        return self._done(lambda: change_events(self._settings, EventsChange.model_validate(change)))

    def _done(self, work: Callable[[], object]) -> web.Response:
        try:
            work()
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            return self._page(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}", status=400)
        raise web.HTTPSeeOther("/switches")

    def _page(self, error: str = "", status: int = 200) -> web.Response:
        content = f"<p class=error role=alert>{escape(error)}</p>" if error else ""
        content += f"<div class=columns>{self._fault_card()}{self._account_card()}{self._event_card()}</div>"
        return page("Switches", content, place="/switches", status=status)

    def _fault_card(self) -> str:
        faults = "".join(map(_fault_row, self._faults.scripted.values()))
        head = "<thead><tr><th scope=col>What<th scope=col>Mail<th scope=col>Applied<td></tr></thead>"
        clear = '<form method=post action="/switches/faults/clear"><button class=danger>Remove all</button></form>'
        scripted = (
            f"<table>{head}<tbody>{faults}</tbody></table>{clear}"
            if faults
            else "<p class=dim>SES does as it should.</p>"
        )
        options = "".join(f"<option value={name}>{text}</option>" for name, (text, _) in _ACTIONS.items())
        return (
            "<section class=card><h2>Faults</h2>"
            '<form class=fields method=post action="/switches/faults">'
            f"<label>What SES does<select name=action>{options}</select></label>"
            f"{_field('to', 'To (with * and ?)', '')}{_field('subject', 'Subject (with * and ?)', '')}"
            f"{_field('times', 'How often (empty: always)', '1', 'number', '1')}<button class=primary>Add</button></form>"
            f"<div data-live>{scripted}</div></section>"
        )

    def _account_card(self) -> str:
        account = self._account
        return (
            '<section class=card><h2>Account</h2><form class=fields method=post action="/switches/account">'
            f"{_choice('sending_enabled', 'Sending is enabled', on=account.sending_enabled)}"
            f"{_field('max_send_rate', 'Recipients a second', account.rate.rate, 'number', 'any')}"
            f"{_field('max_24_hour_send', 'Recipients in 24 hours (-1: any)', account.quota.limit, 'number', 'any')}"
            "<button class=primary>Change</button></form>"
            f"<p class=dim>{account.quota.used:,} sent in the last 24 hours.</p></section>"
        )

    def _event_card(self) -> str:
        settings = self._settings
        types = "".join(_choice(kind, kind, on=kind in settings.types) for kind in EVENT_TYPES)
        numbers = "".join(
            _field(name, text, getattr(settings, name), "number", step) for name, (text, step) in _NUMBERS.items()
        )
        return (
            '<section class=card><h2>Events</h2><form class=fields method=post action="/switches/events">'
            f"{_choice('enabled', 'Mail causes events', on=settings.enabled)}{types}"
            f"{_choice('shuffle', 'In any order', on=settings.shuffle)}{numbers}"
            "<button class=primary>Change</button></form></section>"
        )


def _fault_row(fault: Fault) -> str:
    script = fault.script
    action = script.action.model_dump(exclude_none=True)
    what = " ".join(str(value) for value in action.values())
    match = ", ".join(f"{name}: {pattern}" for name, pattern in script.match.items()) or "all"
    remove = f'<form method=post action="/switches/faults/{fault.id}/remove"><button>Remove</button></form>'
    times = f"{fault.hits} of {script.times}" if script.times else str(fault.hits)
    return f"<tr><td>{escape(what)}</td><td>{escape(match)}</td><td>{times}</td><td>{remove}</td></tr>"


def _field(name: str, text: str, value: object, kind: str = "text", step: str = "") -> str:
    more = f" step={step}" if step else ""
    shown = f"{value:g}" if isinstance(value, float) else escape(str(value))
    return f'<label>{text}<input name={name} type={kind}{more} value="{shown}"></label>'


def _choice(name: str, text: str, *, on: bool) -> str:
    return f"<label class=choice><input type=checkbox name={name}{' checked' if on else ''}>{text}</label>"


def _text(form: Mapping[str, object], name: str) -> str:
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""
