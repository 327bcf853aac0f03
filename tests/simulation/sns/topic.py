"""The topic: publishes what happens to accepted mail, and delivers it to the program again and again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate

import orjson

from ses_sandbox.identifiers import random_uuid
from tests.simulation.ses.exchange import Accepted
from tests.simulation.ses.service import Ses
from tests.simulation.sns.plan import PERFECT, Fate, SnsPlan
from tests.simulation.sns.records import MailFacts, record, timestamp
from tests.simulation.world import Event, World

TOPIC = "arn:aws:sns:eu-west-1:123456789012:ses-events"
_TIMEOUT = 15.0
"""Seconds that SNS waits for an answer."""
_STEP = 0.05, 20.0
"""Seconds between acceptance and the first event, and between two events of one mail, from and to."""
_TOO_MANY, _SERVER_ERROR = 429, 500

Answered = Callable[[int | None], object]
"""Takes the HTTP status, or None if there was no connection or no answer."""
Endpoint = Callable[[bytes, Answered], object]
"""Posts a message to the program."""


@dataclass(slots=True)
class Published:
    """One event and what became of its message; times are true times."""

    kind: str
    """As in `records`."""
    uuid: str | None
    """By the mail's tag."""
    instance: str | None
    message_id: str
    """SES's, of the mail."""
    recipients: tuple[str, ...]
    """Those whom the event is about."""
    at: float
    sns_id: str
    body: bytes = field(repr=False)
    never: bool = False
    """SNS never delivers it."""
    given_up: bool = False
    """A copy of it was refused for good, or too often."""
    missed_at: list[float] = field(default_factory=list)
    """Whenever it was not taken."""
    delivered_at: list[float] = field(default_factory=list)
    """Whenever the program answered 2xx in time."""


class Sns:
    """Set `endpoint` to the process that receives events; None is a receiver that is down."""

    def __init__(self, world: World, ses: Ses, plan: SnsPlan = PERFECT) -> None:
        self.world = world
        self.plan = plan
        self.endpoint: Endpoint | None = None
        self.published: list[Published] = []
        """All events in order: the truth."""
        self._fates = [Fate.DELIVERED]
        self._weights: list[float] = [1]
        self._scripts: dict[str, Fate] = {}
        self._due: dict[Event, tuple[Published, int]] = {}
        """Posts to come."""
        ses.on_accepted.append(self._accepted)

    # What a scenario says

    def behave(self, weights: Mapping[Fate, float]) -> None:
        """From now on accepted mail meets these fates, drawn by their weights."""
        self._fates = list(weights)
        self._weights = list(accumulate(weights.values()))

    def script(self, uuid: str, fate: Fate) -> None:
        """What becomes of this mail, whenever it is accepted."""
        self._scripts[uuid] = fate

    def foreign(self, uuid: str, kind: str = "Send", *, instance: str | None = "other") -> Published:
        """An event of another installation on the account, whose mail may have a uuid of ours; None: of a mail without tags."""
        tags = {"uuid": uuid, "instance": instance} if instance else {}
        return self.publish(kind, MailFacts(f"foreign-{random_uuid()}", self.world.now, ("them@example.org",), tags))

    def unknown(self, uuid: str, kind: str = "Send", *, instance: str) -> Published:
        """An event with our own tag, of a mail that SES never had from us."""
        tags = {"uuid": uuid, "instance": instance}
        return self.publish(kind, MailFacts(f"unknown-{random_uuid()}", self.world.now, ("them@example.org",), tags))

    def publish(self, kind: str, mail: MailFacts, recipients: tuple[str, ...] | None = None) -> Published:
        """Something happened to a mail right now; to all its recipients unless some are named."""
        now, draw = self.world.now, self.world.random
        sns_id = random_uuid()
        published = Published(
            kind,
            mail.tags.get("uuid"),
            mail.tags.get("instance"),
            mail.message_id,
            mail.recipients if recipients is None else recipients,
            now,
            sns_id,
            _envelope(sns_id, record(kind, mail, now, recipients), now),
        )
        self.published.append(published)
        if draw.random() < self.plan.chance_never:
            published.never = True
            self.world.trace("sns.never", event=kind, uuid=published.uuid)
            return published
        for _ in range(2 if draw.random() < self.plan.chance_twice else 1):
            late = draw.random() < self.plan.chance_late
            delay = draw.uniform(*(self.plan.late if late else self.plan.prompt))
            self._post_in(delay, published, 0)
        return published

    def hurry(self) -> None:
        """Post soon whatever was to be posted later."""
        for event, (published, retries) in list(self._due.items()):
            event.cancel()
            del self._due[event]
            self._post_in(self.world.random.uniform(*self.plan.prompt), published, retries)

    # What happens

    def _accepted(self, mail: Accepted) -> None:
        draw = self.world.random
        fate = self._scripts.get(mail.uuid) or draw.choices(self._fates, cum_weights=self._weights)[0]
        facts, delay = MailFacts.of(mail), 0.0
        for kind in fate.value:
            delay += draw.uniform(*_STEP)
            recipients = mail.recipients
            if fate is Fate.BOUNCED_PARTLY and kind != "Send":
                recipients = recipients[:1] if kind == "Bounce" else recipients[1:]
            if recipients:
                self.world.after(delay, self.publish, kind, facts, recipients)

    def _post_in(self, delay: float, published: Published, retries: int) -> None:
        def post() -> None:
            del self._due[event]
            self._post(published, retries)

        event = self.world.after(delay, post)
        self._due[event] = published, retries

    def _post(self, published: Published, retries: int) -> None:
        attempt = _Attempt(self, published, retries)
        self.world.trace("sns.post", event=published.kind, uuid=published.uuid, retries=retries)
        if self.endpoint is None:
            attempt.answered(None)
        else:
            attempt.timer = self.world.after(_TIMEOUT, attempt.answered, None)
            self.endpoint(published.body, attempt.answered)

    def settled(self, published: Published, status: int | None, retries: int) -> None:
        """An attempt to deliver ended."""
        if status is not None and 200 <= status < 300:
            published.delivered_at.append(self.world.now)
            return
        published.missed_at.append(self.world.now)
        self.world.trace("sns.refused", event=published.kind, uuid=published.uuid, status=status)
        may_retry = status is None or status == _TOO_MANY or status >= _SERVER_ERROR
        if may_retry and retries < self.plan.retries:
            self._post_in(self.plan.retry_delay, published, retries + 1)
        else:
            published.given_up = True


class _Attempt:
    """One post: the answer, or the end of SNS's patience, whichever comes first."""

    __slots__ = ("_done", "_published", "_retries", "_sns", "timer")

    def __init__(self, sns: Sns, published: Published, retries: int) -> None:
        self._sns = sns
        self._published = published
        self._retries = retries
        self._done = False
        self.timer: Event | None = None

    def answered(self, status: int | None) -> None:
        if self._done:
            return
        self._done = True
        if self.timer:
            self.timer.cancel()
        self._sns.settled(self._published, status, self._retries)


def _envelope(sns_id: str, message: str, now: float) -> bytes:
    return orjson.dumps(
        {
            "Type": "Notification",
            "MessageId": sns_id,
            "TopicArn": TOPIC,
            "Message": message,
            "Timestamp": timestamp(now),
            "SignatureVersion": "1",
            "Signature": "bm9uZQ==",
            "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem",
        }
    )
