"""SES's service model as the newest botocore has it: what the sandbox's operations take and answer.

aioboto3 pins an older one. `python packages/ses-sandbox/tests/newest_model.py botocore-….whl` renews the data.
"""

import gzip
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import orjson
from botocore.model import ServiceModel

DATA = Path(__file__).with_name("newest_model.json")
_OPERATIONS = (
    "CreateTenant",
    "CreateTenantResourceAssociation",
    "DeleteSuppressedDestination",
    "DeleteTenant",
    "DeleteTenantResourceAssociation",
    "GetAccount",
    "GetConfigurationSet",
    "GetConfigurationSetEventDestinations",
    "GetEmailIdentity",
    "GetReputationEntity",
    "GetSuppressedDestination",
    "GetTenant",
    "ListEmailIdentities",
    "ListRecommendations",
    "ListReputationEntities",
    "ListResourceTenants",
    "ListSuppressedDestinations",
    "ListTenantResources",
    "ListTenants",
    "PutSuppressedDestination",
    "PutTenantSuppressionAttributes",
    "SendEmail",
    "UpdateReputationEntityCustomerManagedStatus",
    "UpdateReputationEntityPolicy",
)


def newest_model() -> ServiceModel:
    """The operations above and all their shapes."""
    return ServiceModel(orjson.loads(DATA.read_bytes())["model"], "sesv2")


def extract(wheel: Path) -> dict[str, Any]:
    """Those operations of the model in a wheel of botocore, and its version."""
    with ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if "/sesv2/" in name and "service-2.json" in name]
        packed = archive.read(name)
    whole = orjson.loads(gzip.decompress(packed) if name.endswith(".gz") else packed)
    operations = {name: whole["operations"][name] for name in _OPERATIONS}
    needed: set[str] = set()
    waiting = _shapes_in(operations)
    while waiting:
        needed.add(shape := waiting.pop())
        waiting |= _shapes_in(whole["shapes"][shape]) - needed
    model = whole | {"operations": operations, "shapes": {name: whole["shapes"][name] for name in needed}}
    return {"botocore": wheel.name.split("-")[1], "model": _without_prose(model)}


def _shapes_in(part: Any) -> set[str]:
    if isinstance(part, dict):
        named = {part["shape"]} if isinstance(part.get("shape"), str) else set()
        return named.union(*map(_shapes_in, part.values()))
    return set().union(*map(_shapes_in, part)) if isinstance(part, list) else set()


def _without_prose(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _without_prose(value) for name, value in part.items() if name != "documentation"}
    return [_without_prose(value) for value in part] if isinstance(part, list) else part


if __name__ == "__main__":
    DATA.write_bytes(
        orjson.dumps(extract(Path(sys.argv[1])), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"
    )
