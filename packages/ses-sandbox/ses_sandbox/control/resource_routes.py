"""Which sender identities and configuration sets exist, as the control-plane operations report."""

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from ses_sandbox.control.wire import read_model, reply
from ses_sandbox.ses.configuration_sets import ConfigurationSet, ConfigurationSets
from ses_sandbox.ses.identities import Identities, Identity


class IdentitiesScript(BaseModel):
    """All identities there are; null makes every one exist and verified again."""

    model_config = ConfigDict(extra="forbid")

    identities: dict[str, Identity] | None


class ConfigurationSetsScript(BaseModel):
    """All configuration sets there are; null makes every one exist again."""

    model_config = ConfigDict(extra="forbid")

    configuration_sets: dict[str, ConfigurationSet] | None


class ResourceRoutes:
    """`/sandbox/identities` and `/sandbox/configuration-sets`."""

    def __init__(self, identities: Identities, configuration_sets: ConfigurationSets) -> None:
        self._identities = identities
        self._configuration_sets = configuration_sets

    def routes(self) -> list[web.RouteDef]:
        return [
            web.put("/sandbox/identities", self.script_identities),
            web.put("/sandbox/configuration-sets", self.script_configuration_sets),
        ]

    async def script_identities(self, request: web.Request) -> web.Response:
        """Replace the identities."""
        script = await read_model(request, IdentitiesScript)
        given = script.identities
        self._identities.scripted = None if given is None else {name.lower(): each for name, each in given.items()}
        return reply(script.model_dump())

    async def script_configuration_sets(self, request: web.Request) -> web.Response:
        """Replace the configuration sets."""
        script = await read_model(request, ConfigurationSetsScript)
        self._configuration_sets.scripted = script.configuration_sets
        return reply(script.model_dump())
