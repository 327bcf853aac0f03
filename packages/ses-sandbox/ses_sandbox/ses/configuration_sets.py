"""Configuration sets and their SNS event destinations."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ses_sandbox.aws.errors import AwsError

MatchingType = Literal[
    "SEND",
    "REJECT",
    "BOUNCE",
    "COMPLAINT",
    "DELIVERY",
    "OPEN",
    "CLICK",
    "RENDERING_FAILURE",
    "DELIVERY_DELAY",
    "SUBSCRIPTION",
]


class SnsDestination(BaseModel):
    """An event destination that publishes to an SNS topic."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "sns"
    enabled: bool = True
    types: tuple[MatchingType, ...] = ("SEND", "REJECT", "BOUNCE", "COMPLAINT", "DELIVERY", "DELIVERY_DELAY")
    topic_arn: str


class ConfigurationSet(BaseModel):
    """What a configuration set says about sending and events."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sending_enabled: bool = True
    max_delivery_seconds: int | None = Field(default=None, ge=300, le=50_400)
    """Seconds during which SES tries to deliver."""
    destinations: tuple[SnsDestination, ...] = Field(default=())
    tags: dict[str, str] = Field(default={})


class ConfigurationSets:
    """Until scripted, every name exists and all events of all mail are published to every topic.

    Once scripted, as at AWS: only the named sets exist, and mail without one causes no events.
    """

    def __init__(self, default_topic: str) -> None:
        """`default_topic` is the ARN an unscripted set is shown to publish to."""
        self.scripted: dict[str, ConfigurationSet] | None = None
        self._default = ConfigurationSet(destinations=(SnsDestination(topic_arn=default_topic),))

    def get(self, name: str) -> ConfigurationSet:
        """The set of that name.

        Raises:
            AwsError: NotFoundException, if it does not exist.
        """
        if self.scripted is None:
            return self._default
        try:
            return self.scripted[name]
        except KeyError:
            raise AwsError("NotFoundException", f"Configuration set <{name}> does not exist.") from None

    def create(self, name: str, created: ConfigurationSet) -> None:
        """Add one.

        Raises:
            AwsError: AlreadyExistsException; while unscripted, every name exists.
        """
        if self.scripted is None or name in self.scripted:
            raise AwsError("AlreadyExistsException", f"Configuration set <{name}> already exists.")
        self.scripted = self.scripted | {name: created}

    def put_destinations(self, name: str, destinations: tuple[SnsDestination, ...]) -> None:
        """Replace the destinations of one; while unscripted, all others cease to exist.

        Raises:
            AwsError: NotFoundException, if it does not exist.
        """
        changed = self.get(name).model_copy(update={"destinations": destinations})
        self.scripted = (self.scripted or {}) | {name: changed}

    def delete(self, name: str) -> None:
        """Remove one with its destinations.

        Raises:
            AwsError: NotFoundException, if it does not exist.
        """
        self.get(name)
        self.scripted = {key: value for key, value in (self.scripted or {}).items() if key != name}

    def check(self, name: str | None) -> None:
        """Whether mail may be sent with that set, if with any.

        Raises:
            AwsError: NotFoundException or SendingPausedException.
        """
        if name is not None and not self.get(name).sending_enabled:
            raise AwsError("SendingPausedException", f"Sending paused for configuration set <{name}>.")

    def publishes(self, name: str | None, event_type: str, topic_arn: str) -> bool:
        """Whether events of that type of mail sent with that set go to the topic."""
        if self.scripted is None:
            return True
        found = self.scripted.get(name or "")
        return found is not None and any(
            each.enabled and each.topic_arn == topic_arn and event_type.upper() in each.types
            for each in found.destinations
        )
