"""Limits, status and credentials of the account, changed while it runs."""

from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from ses_sandbox.account import Account, EnforcementStatus
from ses_sandbox.aws.signature import Credentials
from ses_sandbox.control.wire import read_model, reply


class AccountChange(BaseModel):
    """What is to change; what is absent stays."""

    model_config = ConfigDict(extra="forbid")

    max_send_rate: float | None = Field(default=None, gt=0)
    """Recipients a second."""
    max_24_hour_send: float | None = Field(default=None, ge=-1)
    """Recipients in 24 hours; -1 is unlimited."""
    sent_last_24_hours: int | None = Field(default=None, ge=0)
    """Pretend that this many were sent just now, and nothing before."""
    sending_enabled: bool | None = None
    enforcement_status: EnforcementStatus | None = None
    production_access: bool | None = None


class CredentialsChange(BaseModel):
    """What is to change; what is absent stays."""

    model_config = ConfigDict(extra="forbid")

    access_key: str | None = None
    secret_key: str | None = None
    expired: bool | None = None


def change_account(account: Account, change: AccountChange) -> None:
    """Change what is given."""
    if change.max_send_rate is not None:
        account.rate.rate = change.max_send_rate
    if change.max_24_hour_send is not None:
        account.quota.limit = change.max_24_hour_send
    if change.sent_last_24_hours is not None:
        account.quota.restate(change.sent_last_24_hours)
    for name in ("sending_enabled", "enforcement_status", "production_access"):
        if (value := getattr(change, name)) is not None:
            setattr(account, name, value)


class AccountRoutes:
    """`/sandbox/account` and `/sandbox/credentials`."""

    def __init__(self, account: Account, credentials: Credentials) -> None:
        self._account = account
        self._credentials = credentials

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/sandbox/account", self.show),
            web.put("/sandbox/account", self.change),
            web.put("/sandbox/credentials", self.change_credentials),
        ]

    async def show(self, _request: web.Request) -> web.Response:
        """The account as it is."""
        return reply(self._document())

    async def change(self, request: web.Request) -> web.Response:
        """Change what is given; answer the account as it is then."""
        change = await read_model(request, AccountChange)
        change_account(self._account, change)
        return reply(self._document())

    async def change_credentials(self, request: web.Request) -> web.Response:
        """Rotate the accepted key pair, or let it expire."""
        change = await read_model(request, CredentialsChange)
        for name, value in change.model_dump(exclude_none=True).items():
            setattr(self._credentials, name, value)
        return reply({"access_key": self._credentials.access_key, "expired": self._credentials.expired})

    def _document(self) -> dict[str, Any]:
        account = self._account
        return {
            "max_send_rate": account.rate.rate,
            "max_24_hour_send": account.quota.limit,
            "sent_last_24_hours": account.quota.used,
            "sending_enabled": account.sending_enabled,
            "enforcement_status": account.enforcement_status,
            "production_access": account.production_access,
        }
