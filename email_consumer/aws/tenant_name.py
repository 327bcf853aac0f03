"""`TenantName` on the calls of SES's suppression lists, which the service model of the pinned botocore doesn't have yet."""

from typing import Any

import orjson

_KEY = "tenant_name"
_OPERATIONS = ("PutSuppressedDestination", "GetSuppressedDestination", "DeleteSuppressedDestination")


def allow_tenant_name(client: Any) -> None:  # noqa: ANN401 - aioboto3 is untyped
    """Let an SES v2 client's `…_suppressed_destination` take `TenantName`: the list of that tenant, not the account's."""
    for operation in _OPERATIONS:
        client.meta.events.register(f"provide-client-params.sesv2.{operation}", _keep)
        client.meta.events.register(f"before-call.sesv2.{operation}", _add)


def _keep(params: dict[str, Any], context: dict[str, Any], **_: object) -> dict[str, Any]:
    context[_KEY] = params.get("TenantName")
    return {name: value for name, value in params.items() if name != "TenantName"}


def _add(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    """Names consist of letters, digits, `_` and `-`, so a URL may contain them."""
    if tenant := context[_KEY]:
        if params["method"] == "PUT":
            params["body"] = orjson.dumps(orjson.loads(params["body"]) | {"TenantName": tenant})
        else:
            params["url"] += f"?TenantName={tenant}"
