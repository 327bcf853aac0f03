"""Configuration sets and their SNS event destinations."""

from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from ses_sandbox.aws.errors import AwsError
from ses_sandbox.aws.json_protocol import answer, rest_json
from ses_sandbox.request_guard import RequestGuard

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
    destinations: tuple[SnsDestination, ...] = Field(default=())


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


class ConfigurationSetOperations:
    """GetConfigurationSet and GetConfigurationSetEventDestinations."""

    def __init__(self, request_guard: RequestGuard, sets: ConfigurationSets) -> None:
        self._request_guard = request_guard
        self._sets = sets

    def routes(self) -> list[web.RouteDef]:
        path = "/v2/email/configuration-sets/{name}"
        return [
            web.get(path, rest_json(self.get_configuration_set)),
            web.get(f"{path}/event-destinations", rest_json(self.get_event_destinations)),
        ]

    async def get_configuration_set(self, request: web.Request) -> web.Response:
        """The set's sending options."""
        name, found = await self._found(request, "GetConfigurationSet")
        return answer(
            {
                "ConfigurationSetName": name,
                "DeliveryOptions": {"TlsPolicy": "OPTIONAL"},
                "ReputationOptions": {"ReputationMetricsEnabled": False},
                "SendingOptions": {"SendingEnabled": found.sending_enabled},
                "Tags": [],
            }
        )

    async def get_event_destinations(self, request: web.Request) -> web.Response:
        """Where the set's events go."""
        _, found = await self._found(request, "GetConfigurationSetEventDestinations")
        return answer({"EventDestinations": [_document(each) for each in found.destinations]})

    async def _found(self, request: web.Request, operation: str) -> tuple[str, ConfigurationSet]:
        await self._request_guard.admit(request, operation)
        name = request.match_info["name"]
        return name, self._sets.get(name)


def _document(destination: SnsDestination) -> dict[str, Any]:
    return {
        "Name": destination.name,
        "Enabled": destination.enabled,
        "MatchingEventTypes": destination.types,
        "SnsDestination": {"TopicArn": destination.topic_arn},
    }
