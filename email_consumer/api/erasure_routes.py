"""`POST /v1/erasures`: erases one address from the tables."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Annotated

from aiohttp import web
from pydantic import Field

from email_consumer.api.unseen import Unseen
from email_consumer.core.unsent import ERASED, Unsent
from email_consumer.message.address import normal_form
from email_consumer.store.database import Database
from email_consumer.store.erasure import erase
from email_consumer.web.grant import Scope
from email_consumer.web.routing import ApiError, ApiModel, RequestModel, answer, operation, read_body


class NewErasure(RequestModel):
    address: Annotated[str, Field(min_length=1, max_length=320)]
    """Bare, or `Name <address>`."""


class ErasureReceipt(ApiModel):
    """What was erased; see `email_consumer.store.erasure.Erased`."""

    mails: int
    stopped: int
    """Of these: not sent yet, and now stopped."""
    contents: int
    """Deleted subjects and bodies."""
    contents_kept: int
    """Contents that mention the address but are still to be sent to others: erase again afterwards."""
    events: int
    suppressed: bool
    """The address is on the suppression list and stays there, so that it keeps blocking mail."""
    streams: list[str]
    """Streams whose messages that name the address are now being deleted in the background."""
    unseen: int | None
    """Mails in the queue that no worker has claimed, and that were not looked through: erase again once they are sent. Null if
    the queue does not respond."""


class ErasureRoutes:
    def __init__(
        self,
        database: Database,
        unsent: Unsent,
        unseen: Unseen,
        *,
        streams: Sequence[str] = (),
        erased: Callable[[], None] = lambda: None,
    ) -> None:
        """`streams` are looked through in the background, by a service that `erased` wakes."""
        self._database = database
        self._unsent = unsent
        self._unseen = unseen
        self._streams = streams
        self._erased = erased

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/v1/erasures", self.create)]

    @operation(
        "Erase one address from all tables, and from the streams that keep events and dead letters",
        body=NewErasure,
        answer=ErasureReceipt,
        scope=Scope.ADMIN,
    )
    async def create(self, request: web.Request) -> web.Response:
        new = await read_body(request, NewErasure)
        try:
            address = normal_form(new.address)
        except ValueError as error:
            raise ApiError(422, "invalid", f"address: {error}", {"fields": ["address"]}) from None
        erased = await erase(self._database, address, self._streams)
        self._unsent.count(ERASED, erased.stopped)
        self._erased()
        return answer(ErasureReceipt(**asdict(erased), unseen=await self._unseen()))
