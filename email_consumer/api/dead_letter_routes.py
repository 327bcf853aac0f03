"""`/v1/dead-letters`: list, inspect, replay and remove mail that could not be sent."""

import base64
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

import orjson
from aiohttp import web
from pydantic import Field

from email_consumer.core.dead_letters import (
    DeadLetter,
    DeadLetterArchive,
    DeadLetterError,
    DeadLetterKind,
    WholeDeadLetter,
)
from email_consumer.message.model import UndecodableError, decode
from email_consumer.web.grant import Scope
from email_consumer.web.routing import (
    ApiError,
    ApiModel,
    NumberedPageQuery,
    PageAnswer,
    RequestModel,
    answer,
    next_page,
    operation,
    read_query,
)
from email_consumer.web.times import Moment

_LONGEST_NUMBER = 18
"""Digits; NATS sequences have 64 bits."""
_SECONDS = 5.0
_PAGE = 100
_FAILURES = 100
"""Maximum number of failures in an answer."""


class DeadLettersQuery(NumberedPageQuery):
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    """Maximum number of entries in a page."""
    kind: DeadLetterKind | None = None
    """Only those of this kind."""


class Letter(ApiModel):
    sequence: int
    kind: str
    reason: str
    reference: str
    """Identifies the message in its source, such as `messages:4711`."""
    attempts: int | None
    stored_at: Moment
    size: int
    """Bytes."""


class Letters(PageAnswer):
    dead_letters: list[Letter]


class WholeLetter(Letter):
    headers: dict[str, str]
    message: dict[str, Any] | None
    """The decoded message; null if it is undecodable."""
    payload: str
    """The original payload in base64."""


class ReplayQuery(RequestModel):
    new_uuid: bool = False
    """Send it as a different mail, with a uuid derived from the dead letter; required for a conflict."""


class ReplayedMail(ApiModel):
    sequence: int
    """The message's place in the mail stream."""
    uuid: str


class ManyQuery(RequestModel):
    kind: DeadLetterKind | None = None
    """Only those of this kind; otherwise all."""
    after: Annotated[str, Field(pattern=r"^([0-9]{1,18}(-[0-9]{1,18})?)?$")] = ""
    """The `next` of the previous answer; empty at first."""


class ManyReplayQuery(ManyQuery, ReplayQuery):
    pass


class Failure(ApiModel):
    sequence: int
    reason: str


class Many(PageAnswer):
    """What was done, a few seconds' worth; `next` goes on with the rest."""

    done: int
    failed: list[Failure]


class DeadLetterRoutes:
    def __init__(self, letters: DeadLetterArchive) -> None:
        self._letters = letters

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/dead-letters", self.list),
            web.post("/v1/dead-letters/replay", self.replay_many),
            web.post("/v1/dead-letters/remove", self.remove_many),
            web.get(r"/v1/dead-letters/{sequence:\d+}", self.show),
            web.delete(r"/v1/dead-letters/{sequence:\d+}", self.remove),
            web.post(r"/v1/dead-letters/{sequence:\d+}/replay", self.replay),
        ]

    @operation("Dead letters, oldest first", query=DeadLettersQuery, answer=Letters, scope=Scope.READ)
    async def list(self, request: web.Request) -> web.Response:
        query = read_query(request, DeadLettersQuery)
        letters = await self._letters.list(query.limit, int(query.after or 0), query.kind or "*")
        following = next_page(letters, query, lambda letter: letter.sequence)
        return answer(Letters(dead_letters=[Letter(**_summary(letter)) for letter in letters], next=following))

    @operation("One dead letter with its message", answer=WholeLetter, scope=Scope.READ)
    async def show(self, request: web.Request) -> web.Response:
        letter = await self._find(request)
        payload = base64.b64encode(letter.payload).decode()
        headers = dict(letter.headers)
        message = _message(letter.payload)
        return answer(WholeLetter(**_summary(letter), headers=headers, message=message, payload=payload))

    @operation(
        "Delete a dead letter and with it the only copy of its mail", answer=Letter, errors=(409,), scope=Scope.ADMIN
    )
    async def remove(self, request: web.Request) -> web.Response:
        letter = await self._find(request)
        try:
            await self._letters.remove(letter.sequence)
        except DeadLetterError as error:
            raise ApiError(409, "not_removed", f"{error}.") from None
        return answer(Letter(**_summary(letter)))

    @operation("Publish the mail again", query=ReplayQuery, answer=ReplayedMail, errors=(409,), scope=Scope.ADMIN)
    async def replay(self, request: web.Request) -> web.Response:
        query = read_query(request, ReplayQuery)
        letter = await self._find(request)
        try:
            sequence, uuid = await self._letters.replay(letter.sequence, new_uuid=query.new_uuid)
            return answer(ReplayedMail(sequence=sequence, uuid=uuid))
        except DeadLetterError as error:
            raise ApiError(409, "not_replayed", f"{error}.") from None

    @operation("Publish all mail of a kind, or all, again", query=ManyReplayQuery, answer=Many, scope=Scope.ADMIN)
    async def replay_many(self, request: web.Request) -> web.Response:
        query = read_query(request, ManyReplayQuery)
        return answer(await self._for_each(query, partial(self._letters.replay, new_uuid=query.new_uuid)))

    @operation("Delete all dead letters of a kind, or all", query=ManyQuery, answer=Many, scope=Scope.ADMIN)
    async def remove_many(self, request: web.Request) -> web.Response:
        return answer(await self._for_each(read_query(request, ManyQuery), self._letters.remove))

    async def _for_each(self, query: ManyQuery, act: Callable[[int], Awaitable[object]]) -> Many:
        """Until a few seconds are over; an answer that takes minutes would not arrive."""
        until = time.monotonic() + _SECONDS
        begin, _, end = query.after.partition("-")
        # What fails again comes back after all that were there at first, and would never end.
        last = int(end) if end else await self._letters.last()
        after, done, failed = int(begin or 0), 0, list[Failure]()
        while letters := await self._letters.list(_PAGE, after, query.kind or "*"):
            for letter in letters:
                if letter.sequence > last:
                    return Many(done=done, failed=failed, next=None)
                if time.monotonic() > until or len(failed) >= _FAILURES:
                    return Many(done=done, failed=failed, next=f"{after}-{last}")
                try:
                    await act(letter.sequence)
                    done += 1
                except DeadLetterError as error:
                    failed.append(Failure(sequence=letter.sequence, reason=f"{error}."))
                after = letter.sequence
        return Many(done=done, failed=failed, next=None)

    async def _find(self, request: web.Request) -> WholeDeadLetter:
        number = request.match_info["sequence"]
        try:
            if len(number) <= _LONGEST_NUMBER and int(number):
                return await self._letters.get(int(number))
        except DeadLetterError:
            pass
        raise ApiError(404, "not_found", f"There is no dead letter {number[:_LONGEST_NUMBER]}.")


def _summary(letter: DeadLetter) -> dict[str, Any]:
    return {name: getattr(letter, name) for name in Letter.model_fields} | {"stored_at": letter.stored_at.timestamp()}


def _message(payload: bytes) -> dict[str, Any] | None:
    try:
        message = decode(payload)
    except UndecodableError:
        return None
    fields: dict[str, Any] = orjson.loads(message.model_dump_json(exclude_unset=True))
    return fields
