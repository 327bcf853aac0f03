"""Topics and their subscriptions: durable in SQLite, mirrored in memory because every accepted mail needs them."""

from dataclasses import dataclass, field, replace
from uuid import uuid4

import orjson

from ses_sandbox.change import Change
from ses_sandbox.config import ACCOUNT_ID
from ses_sandbox.database import Database


@dataclass(frozen=True, slots=True)
class Subscription:
    """One HTTP endpoint of a topic."""

    arn: str
    topic_arn: str
    protocol: str
    endpoint: str
    token: str
    """Confirms it."""
    confirmed: bool = False
    at_startup: bool = False
    """Made by the configuration: events wait until it is confirmed, whereas SNS would drop them."""
    attributes: dict[str, str] = field(default_factory=dict)
    """Set by the client: RawMessageDelivery, DeliveryPolicy."""

    @property
    def raw(self) -> bool:
        """Whether messages are posted without their envelope."""
        return self.attributes.get("RawMessageDelivery", "false").lower() == "true"


class Topics:
    """All topics and subscriptions."""

    def __init__(self, database: Database) -> None:
        """Read what earlier runs left."""
        self._database = database
        self.change = Change()
        """Announced when a subscription was added, removed or confirmed."""
        self.topics: dict[str, dict[str, str]] = {
            arn: orjson.loads(attributes) for arn, attributes in database.read_now("SELECT * FROM topics")
        }
        """ARN → attributes set by the client."""
        self.tags: dict[str, dict[str, str]] = {
            arn: orjson.loads(tags) for arn, tags in database.read_now("SELECT * FROM topic_tags")
        }
        """ARN → tags, of topics that have some."""
        rows = database.read_now(
            "SELECT arn, topic_arn, protocol, endpoint, token, confirmed, standing, attributes FROM subscriptions"
        )
        self.subscriptions = {
            arn: Subscription(
                arn, topic_arn, protocol, endpoint, token, bool(confirmed), bool(at_startup), orjson.loads(attributes)
            )
            for arn, topic_arn, protocol, endpoint, token, confirmed, at_startup, attributes in rows
        }

    async def create(self, region: str, name: str, attributes: dict[str, str], tags: dict[str, str]) -> str:
        """The ARN of the topic of that name, created if absent; attributes given are set."""
        arn = topic_arn(region, name)
        if arn in self.topics:
            if attributes:
                await self.set_attributes(arn, self.topics[arn] | attributes)
            return arn
        rows = ((arn, orjson.dumps(attributes).decode()), (arn, orjson.dumps(tags).decode()))
        await self._database.write(
            lambda connection: (
                connection.execute("REPLACE INTO topics VALUES (?, ?)", rows[0]),
                connection.execute("REPLACE INTO topic_tags VALUES (?, ?)", rows[1]),
            )
        )
        self.topics[arn], self.tags[arn] = attributes, tags
        return arn

    async def set_attributes(self, arn: str, attributes: dict[str, str]) -> None:
        """Replace the attributes of a topic."""
        row = (arn, orjson.dumps(attributes).decode())
        await self._database.write(lambda connection: connection.execute("REPLACE INTO topics VALUES (?, ?)", row))
        self.topics[arn] = attributes

    async def delete(self, arn: str) -> None:
        """Remove a topic and its subscriptions."""
        await self._database.write(
            lambda connection: (
                connection.execute("DELETE FROM topics WHERE arn = ?", (arn,)),
                connection.execute("DELETE FROM topic_tags WHERE arn = ?", (arn,)),
            )
        )
        self.topics.pop(arn, None)
        self.tags.pop(arn, None)
        for subscription in self.of(arn):
            await self.unsubscribe(subscription)

    def of(self, topic_arn: str) -> list[Subscription]:
        """Its subscriptions, pending ones too."""
        return [each for each in self.subscriptions.values() if each.topic_arn == topic_arn]

    def receiving(self, topic_arn: str | None = None) -> list[Subscription]:
        """Those (of one topic, if given) that messages are queued for."""
        return [
            each
            for each in self.subscriptions.values()
            if (each.confirmed or each.at_startup) and topic_arn in (None, each.topic_arn)
        ]

    async def subscribe(
        self, topic_arn: str, endpoint: str, *, at_startup: bool = False, attributes: dict[str, str] | None = None
    ) -> Subscription:
        """The subscription of the endpoint; if absent, it is created, pending."""
        for existing in self.of(topic_arn):
            if existing.endpoint == endpoint:
                return existing
        return await self.store(
            Subscription(
                arn=f"{topic_arn}:{uuid4()}",
                topic_arn=topic_arn,
                protocol=endpoint.partition(":")[0].lower(),
                endpoint=endpoint,
                token=(uuid4().hex + uuid4().hex) * 4,  # about as long as a real one
                at_startup=at_startup,
                attributes=attributes or {},
            )
        )

    async def confirm(self, topic_arn: str, token: str) -> Subscription | None:
        """Confirm the subscription that the token belongs to; None if no subscription has it."""
        for subscription in self.of(topic_arn):
            if subscription.token == token:
                return await self.store(replace(subscription, confirmed=True))
        return None

    async def store(self, subscription: Subscription) -> Subscription:
        """Keep a new or changed subscription."""
        row = (
            subscription.arn,
            subscription.topic_arn,
            subscription.protocol,
            subscription.endpoint,
            subscription.token,
            subscription.confirmed,
            subscription.at_startup,
            orjson.dumps(subscription.attributes).decode(),
        )
        await self._database.write(
            lambda connection: connection.execute("REPLACE INTO subscriptions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        )
        self.subscriptions[subscription.arn] = subscription
        self.change.announce()
        return subscription

    async def unsubscribe(self, subscription: Subscription) -> None:
        """Remove a subscription; what was still to be posted to it goes too."""
        arn = (subscription.arn,)
        await self._database.write(
            lambda connection: (
                connection.execute("DELETE FROM subscriptions WHERE arn = ?", arn),
                connection.execute("DELETE FROM outbox WHERE subscription_arn = ?", arn),
            )
        )
        self.subscriptions.pop(subscription.arn, None)
        self.change.announce()


def topic_arn(region: str, name: str) -> str:
    """The ARN a topic of that name has."""
    return f"arn:aws:sns:{region}:{ACCOUNT_ID}:{name}"
