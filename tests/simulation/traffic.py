"""What people and programs around the installation do: publish, post, cancel, suppress; each until it was answered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import msgpack

from email_consumer.message.lane import Lane
from tests.simulation import http
from tests.simulation.clock import EPOCH
from tests.simulation.http import Response
from tests.simulation.installation import Installation
from tests.simulation.mails import Cancellation, HeldPeriod, History, Mail, SuppressionChange
from tests.simulation.world import World

KEY = "simulated-key-of-32-characters-ab"
_AGAIN = 2.0
"""Seconds until a request without an answer is made again."""
_PATIENCE = 10.0

Store = Callable[[str, bytes, Mapping[str, str]], int | None]
"""Publishes into JetStream: subject, payload, headers; the sequence, or None if it was not stored."""


@dataclass(frozen=True, slots=True)
class _Request:
    """Made again until it is answered."""

    method: str
    path: str
    body: object
    headers: Mapping[str, str]
    done: Callable[[Response], None]
    lost: Callable[[], None]
    """Called for each time that nothing came back."""
    may_be_gone: bool
    """Whether 404 is an answer, too: what was to be removed was removed by a request whose answer was lost."""


class Traffic:
    """Notes what it asked for, and what was answered when."""

    def __init__(
        self,
        world: World,
        history: History,
        installation: Installation,
        store: Store,
        subjects: Mapping[Lane, str],
    ) -> None:
        self._world = world
        self._history = history
        self._installation = installation
        self._store = store
        self._subjects = subjects
        self._numbers = 0
        self.open = 0
        """Requests without an answer so far."""

    def publish(self, mail: Mail, spelling: Callable[[str], str] = str) -> None:
        """Publish it to NATS, again if it was published before; `spelling` may write the same address in another way."""
        payload = msgpack.packb(_fields(mail) | {"uuid": mail.uuid, "email": spelling(mail.address)})
        if self._store(self._subjects[mail.lane], payload, {}) is None:
            self._again(self.publish, mail, spelling)
        else:
            mail.stored.append(self._world.now)
            self._world.trace("published", uuid=mail.uuid)

    def publish_conflicting(self, mail: Mail) -> None:
        """Publish another mail under its uuid, which must not be sent if the first one was."""
        other = {"uuid": mail.uuid, "email": f"other-{mail.address}", "subject": "Other", "body": "<p>other</p>"}
        self._store(self._subjects[mail.lane], msgpack.packb(other), {})

    def publish_junk(self) -> None:
        """Publish something that is no mail."""
        subject = self._world.random.choice([*self._subjects.values()])
        self._store(subject, self._world.random.randbytes(20), {})

    def post(self, mails: list[Mail]) -> None:
        """POST them in one request, with an Idempotency-Key, until it is answered."""
        self._numbers += 1
        messages = [_fields(mail) | {"emails": [mail.address], "content": "<p>content</p>"} for mail in mails]
        for message in messages:
            message.pop("body")

        def answered(response: Response) -> None:
            for mail, uuid in zip(mails, response.json()["ids"], strict=True):
                mail.uuid = uuid
                mail.stored.append(self._world.now)

        def lost() -> None:
            for mail in mails:
                mail.unsure.append(self._world.now)

        headers = {"Idempotency-Key": f"request-{self._numbers}"}
        self._ask("POST", "/v1/messages", {"messages": messages}, answered, lost=lost, headers=headers)

    def cancel(self, topic: str) -> None:
        """Cancel a topic, until it is answered."""
        cancellation = Cancellation(topic, self._world.now)
        self._history.cancellations.append(cancellation)

        def answered(response: Response) -> None:
            cancellation.answered_at = self._world.now
            cancellation.in_flight = response.json()["in_flight"]

        self._ask("DELETE", f"/v1/topics/{topic}", None, answered)

    def hold(self, key: str, seconds: float) -> None:
        """Hold mail until it is answered, and end that some time later."""
        period = HeldPeriod(key, self._world.now)
        self._history.holds.append(period)

        def answered(_: Response) -> None:
            period.answered_at = self._world.now
            self._world.after(seconds, self._resume, period)

        self._ask("POST", "/v1/holds", {"key": key}, answered)

    def _resume(self, period: HeldPeriod) -> None:
        period.resumed_at = self._world.now

        def answered(_: Response) -> None:
            period.resume_answered_at = self._world.now

        self._ask("DELETE", f"/v1/holds/{quote(period.key, safe='')}", None, answered, may_be_gone=True)

    def suppress(self, address: str) -> None:
        """Put an address on the suppression list, until it is answered."""
        change = SuppressionChange(address.lower(), suppressed=True, asked_at=self._world.now)
        self._history.suppressions.append(change)
        self._ask("POST", "/v1/suppressions", {"address": address}, lambda _: self._took_effect(change))

    def _took_effect(self, change: SuppressionChange) -> None:
        change.answered_at = self._world.now

    def _ask(
        self,
        method: str,
        path: str,
        body: object,
        done: Callable[[Response], None],
        *,
        lost: Callable[[], None] = lambda: None,
        headers: Mapping[str, str] | None = None,
        may_be_gone: bool = False,
    ) -> None:
        self.open += 1
        authorized = {"Authorization": f"Bearer {KEY}"} | dict(headers or {})
        self._send(_Request(method, path, body, authorized, done, lost, may_be_gone))

    def _send(self, wanted: "_Request") -> None:
        over = False

        def answered(response: Response | None) -> None:
            nonlocal over
            if over:
                return
            over = True
            status = response and response.status
            self._world.trace("response", method=wanted.method, path=wanted.path, status=status)
            gone = wanted.may_be_gone and status == HTTPStatus.NOT_FOUND
            if response and (gone or response.status < HTTPStatus.MULTIPLE_CHOICES):
                self.open -= 1
                wanted.done(response)
                return
            if response is None:
                wanted.lost()
            self._again(self._send, wanted)

        process = self._installation.http()
        if process is None:
            answered(None)
            return
        http.request(process, wanted.method, wanted.path, wanted.body, headers=wanted.headers, answered=answered)
        self._world.after(_PATIENCE, answered, None)

    def _again(self, action: Callable[..., None], *args: Any) -> None:
        self._world.after(_AGAIN * self._world.random.uniform(0.5, 1.0), action, *args)


def _fields(mail: Mail) -> dict[str, Any]:
    fields: dict[str, Any] = {"subject": f"Mail {mail.number}", "body": f"<p>{mail.number}</p>"}
    if mail.topic:
        fields["topic_id"] = mail.topic
    if mail.says_lane or mail.source == "api":
        fields["lane"] = mail.lane
    if mail.copies:
        fields["cc"] = list(mail.copies)
    if mail.due_at is not None:
        fields["scheduled_at"] = _time(mail.due_at)
    if mail.expires_at is not None:
        fields["expires_at"] = _time(mail.expires_at)
    return fields


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(EPOCH + seconds, UTC).isoformat()
