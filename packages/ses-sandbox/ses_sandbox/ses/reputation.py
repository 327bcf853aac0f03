"""The reputation of tenants, and recommendations as SES's advisor gives them."""

from time import time
from typing import Any, Literal, get_args
from urllib.parse import unquote

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from ses_sandbox.aws.errors import AwsError
from ses_sandbox.aws.json_protocol import answer, read_document, rest_json
from ses_sandbox.request_guard import RequestGuard
from ses_sandbox.ses.paging import matching, page
from ses_sandbox.ses.tenants import Impact, SendingStatus, Tenant, Tenants

_POLICIES = ("none", "standard", "strict")


class Recommendation(BaseModel):
    """What the advisor found wrong with a resource."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    resource_arn: str
    type: Literal["DKIM", "DMARC", "SPF", "BIMI", "COMPLAINT", "BOUNCE", "FEEDBACK_3P", "IP_LISTING"]
    impact: Impact
    description: str = ""
    status: Literal["OPEN", "FIXED"] = "OPEN"
    created_at: float = Field(default_factory=time)
    """Unix seconds."""


class Recommendations:
    """All there are; scripted."""

    def __init__(self) -> None:
        self.scripted: tuple[Recommendation, ...] = ()


class ReputationOperations:
    """GetReputationEntity and its like, and ListRecommendations."""

    def __init__(self, request_guard: RequestGuard, tenants: Tenants, recommendations: Recommendations) -> None:
        self._request_guard = request_guard
        self._tenants = tenants
        self._recommendations = recommendations

    def routes(self) -> list[web.RouteDef]:
        path = "/v2/email/reputation/entities"
        one = path + "/{type}/{reference:.+}"
        return [
            web.post(path, rest_json(self.list)),
            web.put(one + "/customer-managed-status", rest_json(self.update_status)),
            web.put(one + "/policy", rest_json(self.update_policy)),
            web.get(one, rest_json(self.get)),
            web.post("/v2/email/vdm/recommendations", rest_json(self.list_recommendations)),
        ]

    async def get(self, request: web.Request) -> web.Response:
        """One tenant's reputation."""
        await self._request_guard.admit(request, "GetReputationEntity")
        return answer({"ReputationEntity": self._entity(*self._found(request))})

    async def list(self, request: web.Request) -> web.Response:
        """All tenants' reputation."""
        document = read_document(await self._request_guard.admit(request, "ListReputationEntities"))
        filters = {
            "ENTITY_TYPE": lambda _each, value: value == "RESOURCE",
            "REPUTATION_IMPACT": lambda each, value: each[1].impact == value,
            "SENDING_STATUS": lambda each, value: each[1].aggregate_status == value,
            "ENTITY_REFERENCE_PREFIX": lambda each, value: self._tenants.arn_of(each[0]).startswith(value),
        }
        found, more = page(matching(sorted((self._tenants.known or {}).items()), document, filters), document)
        return answer({"ReputationEntities": [self._entity(*each) for each in found]} | more)

    async def update_status(self, request: web.Request) -> web.Response:
        """Pause a tenant, or let it send again."""
        document = read_document(
            await self._request_guard.admit(request, "UpdateReputationEntityCustomerManagedStatus")
        )
        name, tenant = self._found(request)
        status = document.get("SendingStatus")
        if status not in get_args(SendingStatus):
            raise AwsError("BadRequestException", f"Invalid sending status {status} specified.")
        await self._tenants.put(name, tenant.model_copy(update={"sending_status": status}))
        return answer({})

    async def update_policy(self, request: web.Request) -> web.Response:
        """Which findings make SES pause the tenant."""
        document = read_document(await self._request_guard.admit(request, "UpdateReputationEntityPolicy"))
        name, tenant = self._found(request)
        policy = str(document.get("ReputationEntityPolicy")).rpartition("/")[2]
        if policy not in _POLICIES:
            raise AwsError("BadRequestException", f"Invalid reputation policy {policy} specified.")
        await self._tenants.put(name, tenant.model_copy(update={"policy": policy}))
        return answer({})

    async def list_recommendations(self, request: web.Request) -> web.Response:
        """What the advisor recommends."""
        document = read_document(await self._request_guard.admit(request, "ListRecommendations"))
        filters = {
            "TYPE": lambda each, value: each.type == value,
            "IMPACT": lambda each, value: each.impact == value,
            "STATUS": lambda each, value: each.status == value,
            "RESOURCE_ARN": lambda each, value: each.resource_arn == value,
        }
        found, more = page(matching(self._recommendations.scripted, document, filters), document)
        return answer({"Recommendations": [_recommended(each) for each in found]} | more)

    def _found(self, request: web.Request) -> tuple[str, Tenant]:
        reference = unquote(request.match_info["reference"])
        if request.match_info["type"] != "RESOURCE":
            raise AwsError("BadRequestException", "Invalid reputation entity type specified.")
        name = reference.partition(":tenant/")[2].partition("/")[0]
        if not name or self._tenants.arn_of(name) != reference:
            raise AwsError("NotFoundException", f"Reputation entity {reference} not found.")
        return name, self._tenants.get(name)

    def _entity(self, name: str, tenant: Tenant) -> dict[str, Any]:
        region = self._tenants.arn_of(name).split(":")[3]
        return {
            "ReputationEntityReference": self._tenants.arn_of(name),
            "ReputationEntityType": "RESOURCE",
            "ReputationManagementPolicy": f"arn:aws:ses:{region}:aws:reputation-policy/{tenant.policy}",
            "CustomerManagedStatus": _status(tenant.sending_status, tenant),
            "AwsSesManagedStatus": _status(tenant.ses_status, tenant),
            "SendingStatusAggregate": tenant.aggregate_status,
            **({"ReputationImpact": tenant.impact} if tenant.impact else {}),
        }


def _status(status: str, tenant: Tenant) -> dict[str, Any]:
    return {"Status": status, "Cause": "", "LastUpdatedTimestamp": tenant.created_at}


def _recommended(each: Recommendation) -> dict[str, Any]:
    return {
        "ResourceArn": each.resource_arn,
        "Type": each.type,
        "Description": each.description,
        "Status": each.status,
        "CreatedTimestamp": each.created_at,
        "LastUpdatedTimestamp": each.created_at,
        "Impact": each.impact,
    }
