"""`/v1/keys`: make, list and remove API keys."""

import time
from datetime import UTC
from typing import Annotated

from aiohttp import web
from pydantic import Field

from email_consumer.access.keys import Keys, StoredKey, TooManyKeysError
from email_consumer.message.address import address_or_domain
from email_consumer.message.fields import LaneName, OneLine, Tenant
from email_consumer.message.lane import Lane
from email_consumer.message.times import parse_time
from email_consumer.web.audit import audit_target
from email_consumer.web.grant import Limits, Scope, scope_names
from email_consumer.web.routing import ApiError, ApiModel, RequestModel, answer, operation, read_body
from email_consumer.web.times import Moment

_MOST_LIMITS = 100


class KeyLimits(ApiModel):
    """What mail a key may send. Such a key can do nothing but send."""

    topics: list[OneLine] = Field([], max_length=_MOST_LIMITS)
    """Ids of topics; one that ends in `*` stands for all that begin like it. Empty: all mail, with or without topic."""
    lane: LaneName | None = None
    """The lane of all its mail."""
    tenant: Tenant | None = None
    """The tenant of all its mail."""
    senders: list[str] = Field([], max_length=_MOST_LIMITS)
    """Addresses and domains. Empty: all."""


class NewKey(KeyLimits, RequestModel):
    name: Annotated[OneLine, Field(min_length=1, max_length=100)]
    """For people."""
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))]
    """`send`, `read`; or `admin`, which includes both."""
    expires_at: str | None = None
    """RFC 3339; without it, the key is valid until it is removed."""


class Key(KeyLimits):
    """An API key; the key itself is shown only when it is made."""

    id: str
    name: str
    hint: str
    """The first characters of the key."""
    scopes: list[str]
    created_at: Moment
    expires_at: Moment | None
    expired: bool
    last_used_at: Moment | None
    """To the minute."""

    @classmethod
    def of(cls, stored: StoredKey, **more: str) -> "Key":
        limits = stored.grant.limits
        return cls(
            id=stored.grant.key_id,
            name=stored.grant.name,
            hint=stored.hint,
            scopes=scope_names(stored.grant.scopes),
            topics=list(limits.topics),
            lane=limits.lane,
            tenant=limits.tenant,
            senders=sorted(limits.senders),
            created_at=stored.created_at,
            expires_at=stored.expires_at,
            expired=stored.expires_at is not None and stored.expires_at <= time.time(),
            last_used_at=stored.last_used_at,
            **more,
        )


class KeyWithSecret(Key):
    key: str
    """To be sent as `X-API-KEY` or `Authorization: Bearer`; it can't be shown again."""


class KeyList(ApiModel):
    keys: list[Key]


class KeyRoutes:
    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/keys", self.list),
            web.post("/v1/keys", self.add),
            web.delete("/v1/keys/{id}", self.remove),
        ]

    @operation("API keys, oldest first, without those of API_KEY", answer=KeyList, scope=Scope.ADMIN)
    async def list(self, _request: web.Request) -> web.Response:
        return answer(KeyList(keys=[Key.of(each) for each in self._keys.all]))

    @operation("Make an API key; the answer contains it, once", body=NewKey, answer=KeyWithSecret, scope=Scope.ADMIN)
    async def add(self, request: web.Request) -> web.Response:
        new = await read_body(request, NewKey)
        limits = _limits(new)
        if not limits.empty and set(new.scopes) != {Scope.SEND}:
            text = 'scopes: a key with limits can only send: its scopes must be ["send"]'
            raise ApiError(422, "invalid", text, {"fields": ["scopes"]})
        try:
            stored, key = await self._keys.add(new.name, new.scopes, limits, _expiry(new.expires_at))
        except TooManyKeysError as error:
            raise ApiError(409, "too_many", f"{error}.") from None
        audit_target(request, f"{stored.grant.key_id} ({stored.grant.name})")
        return answer(KeyWithSecret.of(stored, key=key))

    @operation("Remove an API key: it grants nothing from now on", answer=Key, scope=Scope.ADMIN)
    async def remove(self, request: web.Request) -> web.Response:
        removed = await self._keys.remove(request.match_info["id"])
        if removed is None:
            raise ApiError(404, "not_found", "There is no such key.")
        audit_target(request, f"{removed.grant.key_id} ({removed.grant.name})")
        return answer(Key.of(removed))


def _limits(new: KeyLimits) -> Limits:
    try:
        senders = frozenset(map(address_or_domain, new.senders))
    except ValueError as error:
        raise ApiError(422, "invalid", f"senders: {error}", {"fields": ["senders"]}) from None
    return Limits(tuple(new.topics), Lane(new.lane) if new.lane else None, new.tenant, senders)


def _expiry(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        moment = parse_time(text, UTC)
    except ValueError as error:
        raise ApiError(400, "bad_time", f"expires_at {error}.", {"fields": ["expires_at"]}) from None
    if moment and moment.timestamp() <= time.time():
        raise ApiError(422, "invalid", "expires_at: is in the past", {"fields": ["expires_at"]})
    return moment.timestamp() if moment else None
