"""The operations on configuration sets and their event destinations."""

from typing import Any

from aiohttp import web
from pydantic import ValidationError

from ses_sandbox.aws.errors import AwsError
from ses_sandbox.aws.json_protocol import answer, read_document, read_tags, rest_json, tag_list
from ses_sandbox.request_guard import RequestGuard
from ses_sandbox.ses.configuration_sets import ConfigurationSet, ConfigurationSets, SnsDestination


class ConfigurationSetOperations:
    """Create-, Get- and DeleteConfigurationSet, and the same and Update- of its event destinations."""

    def __init__(self, request_guard: RequestGuard, sets: ConfigurationSets) -> None:
        self._request_guard = request_guard
        self._sets = sets

    def routes(self) -> list[web.RouteDef]:
        sets = "/v2/email/configuration-sets"
        destinations = f"{sets}/{{name}}/event-destinations"
        return [
            web.post(sets, rest_json(self.create_configuration_set)),
            web.get(f"{sets}/{{name}}", rest_json(self.get_configuration_set)),
            web.delete(f"{sets}/{{name}}", rest_json(self.delete_configuration_set)),
            web.get(destinations, rest_json(self.get_event_destinations)),
            web.post(destinations, rest_json(self.create_event_destination)),
            web.put(f"{destinations}/{{destination}}", rest_json(self.update_event_destination)),
            web.delete(f"{destinations}/{{destination}}", rest_json(self.delete_event_destination)),
        ]

    async def create_configuration_set(self, request: web.Request) -> web.Response:
        """A new set without destinations."""
        document = read_document(await self._request_guard.admit(request, "CreateConfigurationSet"))
        try:
            created = ConfigurationSet(
                sending_enabled=document.get("SendingOptions", {}).get("SendingEnabled", True),
                max_delivery_seconds=document.get("DeliveryOptions", {}).get("MaxDeliverySeconds"),
                tags=read_tags(document),
            )
        except ValidationError as error:
            raise AwsError("BadRequestException", str(error)) from None
        self._sets.create(document["ConfigurationSetName"], created)
        return answer({})

    async def get_configuration_set(self, request: web.Request) -> web.Response:
        """The set's sending options and tags."""
        name, found = await self._found(request, "GetConfigurationSet")
        return answer(
            {
                "ConfigurationSetName": name,
                "DeliveryOptions": _delivery_options(found),
                "ReputationOptions": {"ReputationMetricsEnabled": False},
                "SendingOptions": {"SendingEnabled": found.sending_enabled},
                "Tags": tag_list(found.tags),
            }
        )

    async def delete_configuration_set(self, request: web.Request) -> web.Response:
        """One set less."""
        await self._request_guard.admit(request, "DeleteConfigurationSet")
        self._sets.delete(request.match_info["name"])
        return answer({})

    async def get_event_destinations(self, request: web.Request) -> web.Response:
        """Where the set's events go."""
        _, found = await self._found(request, "GetConfigurationSetEventDestinations")
        return answer({"EventDestinations": [_document(each) for each in found.destinations]})

    async def create_event_destination(self, request: web.Request) -> web.Response:
        """One more destination."""
        document = read_document(await self._request_guard.admit(request, "CreateConfigurationSetEventDestination"))
        name = request.match_info["name"]
        created = _destination(document["EventDestinationName"], document["EventDestination"])
        others = self._sets.get(name).destinations
        if created.name in {each.name for each in others}:
            raise AwsError("AlreadyExistsException", f"An event destination with name {created.name} already exists.")
        self._sets.put_destinations(name, (*others, created))
        return answer({})

    async def update_event_destination(self, request: web.Request) -> web.Response:
        """A destination replaced."""
        document = read_document(await self._request_guard.admit(request, "UpdateConfigurationSetEventDestination"))
        changed = _destination(request.match_info["destination"], document["EventDestination"])
        self._sets.put_destinations(request.match_info["name"], (*self._others(request), changed))
        return answer({})

    async def delete_event_destination(self, request: web.Request) -> web.Response:
        """One destination less."""
        await self._request_guard.admit(request, "DeleteConfigurationSetEventDestination")
        self._sets.put_destinations(request.match_info["name"], self._others(request))
        return answer({})

    def _others(self, request: web.Request) -> tuple[SnsDestination, ...]:
        """The destinations but the one that the request names."""
        destination = request.match_info["destination"]
        present = self._sets.get(request.match_info["name"]).destinations
        if destination not in {each.name for each in present}:
            raise AwsError("NotFoundException", f"An event destination with name {destination} does not exist.")
        return tuple(each for each in present if each.name != destination)

    async def _found(self, request: web.Request, operation: str) -> tuple[str, ConfigurationSet]:
        await self._request_guard.admit(request, operation)
        name = request.match_info["name"]
        return name, self._sets.get(name)


def _delivery_options(found: ConfigurationSet) -> dict[str, Any]:
    limit = {"MaxDeliverySeconds": found.max_delivery_seconds} if found.max_delivery_seconds else {}
    return {"TlsPolicy": "OPTIONAL"} | limit


def _destination(name: str, document: dict[str, Any]) -> SnsDestination:
    try:
        return SnsDestination(
            name=name,
            enabled=document.get("Enabled", False),
            types=document["MatchingEventTypes"],
            topic_arn=document["SnsDestination"]["TopicArn"],
        )
    except ValidationError as error:
        raise AwsError("BadRequestException", str(error)) from None


def _document(destination: SnsDestination) -> dict[str, Any]:
    return {
        "Name": destination.name,
        "Enabled": destination.enabled,
        "MatchingEventTypes": destination.types,
        "SnsDestination": {"TopicArn": destination.topic_arn},
    }
