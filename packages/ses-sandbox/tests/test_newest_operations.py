"""What the client of the pinned botocore can't write yet: overrides, and suppression lists of tenants."""

from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.serialize import create_serializer
from botocore.validate import ParamValidator
from yarl import URL

from newest_model import newest_model
from sandbox_clients import REGION
from sandbox_mail import simple_mail
from ses_sandbox.database import Database
from ses_sandbox.ses.suppression import SuppressionLists
from ses_sandbox.ses.tenants import Scope, Tenant, Tenants
from ses_sandbox.testing import Control

_MODEL = newest_model()


async def call(sandbox: Control, operation: str, **parameters: Any) -> tuple[int, Any]:
    """Status and document answered to an operation, written by the newest model."""
    model = _MODEL.operation_model(operation)
    assert model.input_shape is not None
    assert not ParamValidator().validate(parameters, model.input_shape).has_errors()
    written = create_serializer("rest-json").serialize_to_request(parameters, model)
    url = URL(sandbox.url + written["url_path"], encoded=True).update_query(written["query_string"])
    request = AWSRequest(written["method"], str(url), data=written["body"])
    SigV4Auth(Credentials("sandbox", "sandbox-secret"), "ses", REGION).add_auth(request)
    headers = dict(request.headers.items())
    async with (
        aiohttp.ClientSession() as session,
        session.request(written["method"], url, headers=headers, data=written["body"]) as answered,
    ):
        return answered.status, orjson.loads(await answered.read())


async def test_a_mail_overrides_tracking(sandbox: Control) -> None:
    overrides = {"Tracking": {"OpenTrackingEnabled": "DISABLED", "ClickTrackingEnabled": "ENABLED"}}
    assert (await call(sandbox, "SendEmail", **simple_mail(), ConfigurationOverrides=overrides))[0] == 200
    assert (await call(sandbox, "SendEmail", **simple_mail("u-2")))[0] == 200
    first, second = (await sandbox.get("/messages"))["messages"]
    assert (first["tracking"], second["tracking"]) == ({"opens": False, "clicks": True}, {})
    wrong = {"Tracking": {"OpenTrackingEnabled": "yes"}}
    assert (await call(sandbox, "SendEmail", **simple_mail(), ConfigurationOverrides=wrong))[0] == 400


async def test_a_set_limits_how_long_ses_tries(sandbox: Control) -> None:
    sets = {"brief": {"max_delivery_seconds": 300}, "usual": {}}
    await sandbox.put("/sandbox/configuration-sets", {"configuration_sets": sets})
    limits = [
        (await call(sandbox, "GetConfigurationSet", ConfigurationSetName=name))[1]["DeliveryOptions"] for name in sets
    ]
    assert limits == [{"TlsPolicy": "OPTIONAL", "MaxDeliverySeconds": 300}, {"TlsPolicy": "OPTIONAL"}]


async def test_a_tenant_has_a_suppression_list(sandbox: Control) -> None:
    await call(sandbox, "CreateTenant", TenantName="acme", SuppressionAttributes={"SuppressionScope": "TENANT"})
    tenant = (await call(sandbox, "GetTenant", TenantName="acme"))[1]["Tenant"]
    assert tenant["SuppressionAttributes"] == {"SuppressionScope": "TENANT"}
    for address, owner in (("ours@example.com", {}), ("theirs@example.com", {"TenantName": "acme"})):
        await call(sandbox, "PutSuppressedDestination", EmailAddress=address, Reason="BOUNCE", **owner)
    found = await call(sandbox, "GetSuppressedDestination", EmailAddress="theirs@example.com", TenantName="acme")
    assert found[1]["SuppressedDestination"]["TenantName"] == "acme"
    assert (await call(sandbox, "GetSuppressedDestination", EmailAddress="theirs@example.com"))[0] == 404
    listed = (await call(sandbox, "ListSuppressedDestinations", TenantName="acme"))[1]["SuppressedDestinationSummaries"]
    assert [each["EmailAddress"] for each in listed] == ["theirs@example.com"]

    unknown = {"EmailAddress": "a@example.com", "Reason": "BOUNCE", "TenantName": "nobody"}
    assert (await call(sandbox, "PutSuppressedDestination", **unknown))[0] == 404
    await call(sandbox, "DeleteSuppressedDestination", EmailAddress="theirs@example.com", TenantName="acme")
    left = (await call(sandbox, "ListSuppressedDestinations", TenantName="acme"))[1]
    assert left == {"SuppressedDestinationSummaries": []}


@pytest.mark.parametrize(("scope", "stopped"), [("TENANT", "theirs"), ("ACCOUNT", "ours"), (None, "ours")])
async def test_mail_goes_by_the_list_that_the_scope_says(tmp_path: Path, scope: Scope | None, stopped: str) -> None:
    database = Database(tmp_path / "sandbox.db")
    tenants = Tenants(database, REGION)
    lists = SuppressionLists(database, tenants)
    await tenants.put("acme", Tenant(suppression_scope=scope))
    await lists.put(None, "ours", "BOUNCE")
    await lists.put("acme", "theirs", "BOUNCE")
    for read in (lists, SuppressionLists(database, Tenants(database, REGION))):
        assert [*read.of_mail("acme")] == [stopped]
        assert [*read.of_mail(None)] == ["ours"]
    await tenants.remove("acme")
    await tenants.put("acme", Tenant(suppression_scope="TENANT"))
    assert [*lists.of_mail("acme")] == []
    await database.close()
