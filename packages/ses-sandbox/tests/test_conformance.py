"""The raw JSON of every answer has the shape of botocore's service model: no member more, none missing, no other type."""

from typing import Any
from urllib.parse import quote

import aiohttp
import orjson
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from yarl import URL

from newest_model import newest_model
from sandbox_clients import REGION
from sandbox_mail import simple_mail
from ses_sandbox.ses.tenants import tenant_id
from ses_sandbox.testing import Control

MODEL = newest_model()
_TENANT = f"arn:aws:ses:{REGION}:000000000000:tenant/acme/{tenant_id('acme')}"
_IDENTITY = f"arn:aws:ses:{REGION}:000000000000:identity/example.com"
NAMES = {
    "{ConfigurationSetName}": "main",
    "{EmailIdentity}": "example.com",
    "{EmailAddress}": "a%40example.com",
    "{ReputationEntityType}": "RESOURCE",
    "{ReputationEntityReference}": quote(_TENANT, safe=""),
}
_ACME = {"TenantName": "acme"}


async def call(sandbox: Control, operation: str, document: Any = None) -> Any:
    """The JSON answered to an operation, read by nothing of botocore."""
    http = MODEL.operation_model(operation).http
    path = http["requestUri"]
    for name, value in NAMES.items():
        path = path.replace(name, value)
    body = b"" if document is None else orjson.dumps(document)
    url = URL(sandbox.url + path, encoded=True)
    request = AWSRequest(http["method"], str(url), data=body)
    SigV4Auth(Credentials("sandbox", "sandbox-secret"), "ses", REGION).add_auth(request)
    async with (
        aiohttp.ClientSession() as session,
        session.request(http["method"], url, headers=dict(request.headers.items()), data=body) as answer,
    ):
        assert answer.status == 200
        return await answer.json()


@pytest.mark.parametrize(
    ("operation", "document"),
    [
        ("SendEmail", simple_mail()),
        ("GetAccount", None),
        ("GetConfigurationSet", None),
        ("GetConfigurationSetEventDestinations", None),
        ("GetEmailIdentity", None),
        ("ListEmailIdentities", {}),
        ("PutSuppressedDestination", {"EmailAddress": "b@example.com", "Reason": "BOUNCE"}),
        ("GetSuppressedDestination", None),
        ("ListSuppressedDestinations", None),
        ("DeleteSuppressedDestination", None),
        ("SendEmail", simple_mail(TenantName="acme")),
        ("CreateTenant", {"TenantName": "new", "Tags": [{"Key": "k", "Value": "v"}]}),
        ("GetTenant", _ACME),
        ("ListTenants", {}),
        ("DeleteTenant", _ACME),
        ("CreateTenantResourceAssociation", _ACME | {"ResourceArn": _IDENTITY}),
        ("DeleteTenantResourceAssociation", _ACME | {"ResourceArn": _IDENTITY}),
        ("ListTenantResources", _ACME),
        ("ListResourceTenants", {"ResourceArn": _IDENTITY}),
        ("PutTenantSuppressionAttributes", _ACME | {"SuppressionScope": "TENANT"}),
        ("GetReputationEntity", None),
        ("ListReputationEntities", {}),
        ("UpdateReputationEntityCustomerManagedStatus", {"SendingStatus": "DISABLED"}),
        (
            "UpdateReputationEntityPolicy",
            {"ReputationEntityPolicy": "arn:aws:ses:eu-west-1:aws:reputation-policy/strict"},
        ),
        ("ListRecommendations", {}),
    ],
)
async def test_an_answer_has_the_shape_of_the_model(sandbox: Control, ses: Any, operation: str, document: Any) -> None:
    await ses.put_suppressed_destination(EmailAddress="a@example.com", Reason="COMPLAINT")
    await sandbox.put("/sandbox/identities", {"identities": {"example.com": {}}})
    tenant = {"resources": [_IDENTITY], "impact": "LOW", "suppression_scope": "ACCOUNT", "suppressed_reasons": []}
    await sandbox.put("/sandbox/tenants", {"tenants": {"acme": tenant}})
    found = {"resource_arn": _IDENTITY, "type": "SPF", "impact": "LOW"}
    await sandbox.put("/sandbox/recommendations", {"recommendations": [found]})

    answered = await call(sandbox, operation, document)

    conforms(answered, MODEL.operation_model(operation).output_shape)


def conforms(value: Any, shape: Any) -> None:
    """Assert that a JSON value has the shape."""
    match shape.type_name:
        case "structure":
            assert set(shape.required_members) <= value.keys() <= shape.members.keys()
            for name, member in value.items():
                conforms(member, shape.members[name])
        case "list":
            for member in value:
                conforms(member, shape.member)
        case "map":
            for member in value.values():
                conforms(member, shape.value)
        case "string":
            assert isinstance(value, str)
            assert not shape.enum or value in shape.enum
        case "boolean":
            assert isinstance(value, bool)
        case "double" | "timestamp":
            assert isinstance(value, float)
        case _:
            raise AssertionError(f"{shape.type_name} is not expected")


async def test_an_unknown_operation_is_named_as_such(sandbox: Control, ses: Any) -> None:
    with pytest.raises(Exception, match="UnknownOperationException"):
        await ses.list_contact_lists()
    assert (await sandbox.get("/health")) == {"status": "ok"}
