"""The operations on tenants and on what is associated with them."""

import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from ses_sandbox.aws.errors import AwsError
from ses_sandbox.aws.json_protocol import answer, read_document, read_tags, rest_json, tag_list
from ses_sandbox.request_guard import RequestGuard
from ses_sandbox.ses.configuration_sets import ConfigurationSets
from ses_sandbox.ses.identities import Identities
from ses_sandbox.ses.paging import matching, page
from ses_sandbox.ses.tenants import Tenant, TenantName, Tenants, tenant_id

_NAME = TypeAdapter(TenantName)
_RESOURCE = re.compile(r"arn:aws[a-z-]*:ses:[a-z0-9-]+:\d{12}:(identity|configuration-set|template)/(.+)")
_TYPES = {"identity": "EMAIL_IDENTITY", "configuration-set": "CONFIGURATION_SET", "template": "EMAIL_TEMPLATE"}


class TenantOperations:
    """CreateTenant to PutTenantSuppressionAttributes; all are POST requests with the name in their body."""

    def __init__(
        self,
        request_guard: RequestGuard,
        tenants: Tenants,
        identities: Identities,
        configuration_sets: ConfigurationSets,
    ) -> None:
        self._request_guard = request_guard
        self._tenants = tenants
        self._identities = identities
        self._configuration_sets = configuration_sets

    def routes(self) -> list[web.RouteDef]:
        path = "/v2/email/tenants"
        return [
            web.post(path, rest_json(self.create)),
            web.post(f"{path}/get", rest_json(self.get)),
            web.post(f"{path}/list", rest_json(self.list)),
            web.post(f"{path}/delete", rest_json(self.delete)),
            web.post(f"{path}/resources", rest_json(self.associate)),
            web.post(f"{path}/resources/delete", rest_json(self.dissociate)),
            web.post(f"{path}/resources/list", rest_json(self.list_resources)),
            web.post("/v2/email/resources/tenants/list", rest_json(self.list_of_resource)),
            web.post("/v2/email/tenant/suppression", rest_json(self.put_suppression)),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """A new tenant, with nothing associated."""
        document = await self._read(request, "CreateTenant")
        name = _name(document)
        if name in (self._tenants.known or {}):
            raise AwsError("AlreadyExistsException", f"Tenant {name} already exists.")
        tenant = Tenant(tags=read_tags(document), **_suppression(document.get("SuppressionAttributes") or {}))
        await self._tenants.put(name, tenant)
        return answer(self._described(name, tenant))

    async def get(self, request: web.Request) -> web.Response:
        """One tenant."""
        name, tenant = await self._found(request, "GetTenant")
        return answer({"Tenant": self._described(name, tenant)})

    async def list(self, request: web.Request) -> web.Response:
        """All tenants by name."""
        document = await self._read(request, "ListTenants")
        filters = {
            "TENANT_NAME_CONTAINS": lambda each, value: value in each[0],
            "SENDING_STATUS": lambda each, value: each[1].aggregate_status == value,
        }
        found, more = page(matching(sorted((self._tenants.known or {}).items()), document, filters), document)
        return answer({"Tenants": [self._summary(*each) for each in found]} | more)

    async def delete(self, request: web.Request) -> web.Response:
        """Remove a tenant."""
        name, _ = await self._found(request, "DeleteTenant")
        await self._tenants.remove(name)
        return answer({})

    async def associate(self, request: web.Request) -> web.Response:
        """Let a tenant use a resource; repeating it changes nothing."""
        document = await self._read(request, "CreateTenantResourceAssociation")
        name, tenant = _name(document), self._tenants.get(_name(document))
        arn = document.get("ResourceArn")
        self._check_exists(arn)
        if arn not in tenant.resources:
            await self._tenants.put(name, tenant.model_copy(update={"resources": (*tenant.resources, arn)}))
        return answer({})

    async def dissociate(self, request: web.Request) -> web.Response:
        """Take a resource from a tenant."""
        document = await self._read(request, "DeleteTenantResourceAssociation")
        name, tenant = _name(document), self._tenants.get(_name(document))
        arn = document.get("ResourceArn")
        if arn not in tenant.resources:
            raise AwsError("NotFoundException", f"Resource {arn} is not associated with tenant {name}.")
        left = tuple(each for each in tenant.resources if each != arn)
        await self._tenants.put(name, tenant.model_copy(update={"resources": left}))
        return answer({})

    async def list_resources(self, request: web.Request) -> web.Response:
        """What a tenant may use."""
        document = await self._read(request, "ListTenantResources")
        tenant = self._tenants.get(_name(document))
        filters = {"RESOURCE_TYPE": lambda arn, value: _type(arn) == value}
        found, more = page(matching(tenant.resources, document, filters), document)
        return answer({"TenantResources": [{"ResourceType": _type(arn), "ResourceArn": arn} for arn in found]} | more)

    async def list_of_resource(self, request: web.Request) -> web.Response:
        """Who may use a resource."""
        document = await self._read(request, "ListResourceTenants")
        arn = document.get("ResourceArn")
        self._check_exists(arn)
        known = sorted((self._tenants.known or {}).items())
        found, more = page([each for each in known if arn in each[1].resources], document)
        shown = [
            {
                "TenantName": name,
                "TenantId": tenant_id(name),
                "ResourceArn": arn,
                "AssociatedTimestamp": tenant.created_at,
            }
            for name, tenant in found
        ]
        return answer({"ResourceTenants": shown} | more)

    async def put_suppression(self, request: web.Request) -> web.Response:
        """Which suppression list a tenant's mail goes by."""
        document = await self._read(request, "PutTenantSuppressionAttributes")
        name, tenant = _name(document), self._tenants.get(_name(document))
        await self._tenants.put(name, tenant.model_copy(update=_suppression(document)))
        return answer({})

    async def _read(self, request: web.Request, operation: str) -> dict[str, Any]:
        return read_document(await self._request_guard.admit(request, operation))

    async def _found(self, request: web.Request, operation: str) -> tuple[str, Tenant]:
        name = _name(await self._read(request, operation))
        return name, self._tenants.get(name)

    def _check_exists(self, arn: object) -> None:
        """Raise NotFoundException if no such resource exists, BadRequestException if it can't be one."""
        parsed = _RESOURCE.fullmatch(arn) if isinstance(arn, str) else None
        if parsed is None:
            raise AwsError("BadRequestException", "Provided resource identifier is not an SES resource")
        match parsed[1]:
            case "identity":
                self._identities.get(parsed[2])
            case "configuration-set":
                self._configuration_sets.get(parsed[2])

    def _summary(self, name: str, tenant: Tenant) -> dict[str, Any]:
        return {
            "TenantName": name,
            "TenantId": tenant_id(name),
            "TenantArn": self._tenants.arn_of(name),
            "CreatedTimestamp": tenant.created_at,
            "SendingStatus": tenant.aggregate_status,
        }

    def _described(self, name: str, tenant: Tenant) -> dict[str, Any]:
        suppression: dict[str, Any] = {}
        if tenant.suppression_scope is not None:
            suppression["SuppressionScope"] = tenant.suppression_scope
        if tenant.suppressed_reasons is not None:
            suppression["SuppressedReasons"] = tenant.suppressed_reasons
        return self._summary(name, tenant) | {
            "Tags": tag_list(tenant.tags),
            **({"SuppressionAttributes": suppression} if suppression else {}),
        }


def _name(document: Mapping[str, Any]) -> str:
    try:
        return _NAME.validate_python(document.get("TenantName"))
    except ValidationError:
        raise AwsError("BadRequestException", "TenantName must be 1 to 64 of A-Z a-z 0-9 _ -") from None


def _suppression(document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `Tenant`, checked."""
    given = {
        "suppression_scope": document.get("SuppressionScope"),
        "suppressed_reasons": document.get("SuppressedReasons"),
    }
    try:
        checked = Tenant.model_validate(given)
    except ValidationError:
        raise AwsError("BadRequestException", "SuppressionScope or SuppressedReasons is invalid") from None
    return {name: getattr(checked, name) for name in given}


def _type(arn: str) -> str:
    parsed = _RESOURCE.fullmatch(arn)
    return _TYPES[parsed[1]] if parsed else ""
