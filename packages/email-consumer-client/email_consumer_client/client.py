"""The HTTP API."""

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import httpx

from email_consumer_client.answers import Accepted, ListedMail, Mail, Receipt, Topic
from email_consumer_client.exchange import (
    Request,
    of_list,
    of_mail,
    of_topic,
    pause_before_repeating,
    read_answer,
    read_page,
    sending,
)
from email_consumer_client.message import Lane, Message


class Client:
    """The HTTP API of an installation. Thread-safe; `close` it, or use it as a context manager.

    All requests can be repeated safely and are, when the connection breaks or the installation asks to try again.

    Every method raises `UnreachableError`, `ApiError` (with one of its subclasses) or `UnexpectedAnswerError`.
    """

    def __init__(
        self, url: str, api_key: str, *, timeout: float = 30, repetitions: int = 3, http: httpx.Client | None = None
    ) -> None:
        """`url` such as `http://localhost:3000`; `timeout` in seconds of one attempt, `http` for proxies and certificates."""
        self._url = url.rstrip("/")
        self._headers = {"X-API-KEY": api_key}
        self._timeout = timeout
        self._repetitions = repetitions
        self._http = http or httpx.Client()

    def send(self, *messages: Message, idempotency_key: str | None = None) -> Accepted:
        """Submit mail for up to 10,000 recipients; it is on the installation's disk when this returns.

        A recipient whose address is not valid is in `refused`, while all others are accepted; any other error refuses the
        whole request.

        Args:
            messages: each with one or many recipients.
            idempotency_key: 1 to 255 characters, the same whenever your program submits the same mail again: it gets the
                earlier answer, and no second mail is sent. Without one, only this call's own repetitions are safe.
        """
        return Accepted.from_json(self._ask(sending(messages, idempotency_key)))

    def mail(self, uuid: str) -> Mail:
        """One mail's status and history; `NotFoundError` until the installation has seen it."""
        return Mail.from_json(self._ask(of_mail(uuid)))

    def mails(
        self,
        *,
        topic_id: str | None = None,
        state: str | None = None,
        lane: Lane | None = None,
        tenant: str | None = None,
        email: str | None = None,
        domain: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[ListedMail]:
        """Mail, latest first; each argument that is given narrows the list, and all must apply.

        Args:
            topic_id: of the mail.
            state: `bounced`, `delivered`, `failed`, …: what became of it.
            lane: `transactional` or `bulk`.
            tenant: the mail's.
            email: the recipient's address.
            domain: of that address.
            since: created then or later.
            until: created before.
        """
        narrowed = {
            "topic_id": topic_id,
            "state": state,
            "lane": lane,
            "tenant": tenant,
            "email": email,
            "domain": domain,
            "since": since,
            "until": until,
        }
        after: str | None = ""
        while after is not None:
            mails, after = read_page(self._ask(of_list(narrowed, after)))
            yield from mails

    def topic(self, topic_id: str) -> Topic:
        """A topic's statistics."""
        return Topic.from_json(self._ask(of_topic(topic_id)))

    def cancel(self, topic_id: str) -> Receipt:
        """Cancel mail of a topic that isn't sent yet, queued mail included; later mail of the topic is sent."""
        return Receipt.from_json(self._ask(of_topic(topic_id, "DELETE")))

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, request: Request) -> Mapping[str, Any]:
        for repeated in range(self._repetitions):
            result = self._try(request)
            pause = pause_before_repeating(result, repeated)
            if pause is None:
                return read_answer(result)
            time.sleep(pause)
        return read_answer(self._try(request))

    def _try(self, request: Request) -> httpx.Response | httpx.TransportError:
        try:
            return self._http.request(
                request.method,
                self._url + request.path,
                content=request.content,
                headers={**self._headers, **request.headers},
                timeout=self._timeout,
            )
        except httpx.TransportError as error:
            return error
