"""Which sender identities, configuration sets and tenants exist, as the control-plane operations report."""

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from ses_sandbox.control.wire import read_model, reply
from ses_sandbox.ses.configuration_sets import ConfigurationSet, ConfigurationSets
from ses_sandbox.ses.identities import Identities, Identity
from ses_sandbox.ses.reputation import Recommendation, Recommendations
from ses_sandbox.ses.tenants import Tenant, TenantName, Tenants


class IdentitiesScript(BaseModel):
    """All identities there are; null makes every one exist and verified again."""

    model_config = ConfigDict(extra="forbid")

    identities: dict[str, Identity] | None


class ConfigurationSetsScript(BaseModel):
    """All configuration sets there are; null makes every one exist again."""

    model_config = ConfigDict(extra="forbid")

    configuration_sets: dict[str, ConfigurationSet] | None


class TenantsScript(BaseModel):
    """All tenants there are; null makes every one exist again."""

    model_config = ConfigDict(extra="forbid")

    tenants: dict[TenantName, Tenant] | None


class RecommendationsScript(BaseModel):
    """All recommendations there are."""

    model_config = ConfigDict(extra="forbid")

    recommendations: tuple[Recommendation, ...]


class ResourceRoutes:
    """`/sandbox/identities`, `/sandbox/configuration-sets`, `/sandbox/tenants` and `/sandbox/recommendations`."""

    def __init__(
        self,
        identities: Identities,
        configuration_sets: ConfigurationSets,
        tenants: Tenants,
        recommendations: Recommendations,
    ) -> None:
        self._identities = identities
        self._configuration_sets = configuration_sets
        self._tenants = tenants
        self._recommendations = recommendations

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/sandbox/identities", self.show_identities),
            web.put("/sandbox/identities", self.script_identities),
            web.get("/sandbox/configuration-sets", self.show_configuration_sets),
            web.put("/sandbox/configuration-sets", self.script_configuration_sets),
            web.put("/sandbox/tenants", self.script_tenants),
            web.put("/sandbox/recommendations", self.script_recommendations),
        ]

    async def show_identities(self, _request: web.Request) -> web.Response:
        """The identities, in the form they are scripted in."""
        return reply(IdentitiesScript(identities=self._identities.scripted).model_dump())

    async def show_configuration_sets(self, _request: web.Request) -> web.Response:
        """The configuration sets, in the form they are scripted in."""
        return reply(ConfigurationSetsScript(configuration_sets=self._configuration_sets.scripted).model_dump())

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

    async def script_tenants(self, request: web.Request) -> web.Response:
        """Replace the tenants."""
        script = await read_model(request, TenantsScript)
        await self._tenants.script(script.tenants)
        return reply(script.model_dump())

    async def script_recommendations(self, request: web.Request) -> web.Response:
        """Replace the recommendations."""
        script = await read_model(request, RecommendationsScript)
        self._recommendations.scripted = script.recommendations
        return reply(script.model_dump())
