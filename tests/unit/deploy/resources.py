"""Kubernetes' own schemas, and as much as is used here of those of operators."""

from typing import Annotated, Any, Literal

import kubernetes_validate
from pydantic import BaseModel, ConfigDict, Field

Document = dict[str, Any]

KUBERNETES = "1.29"
"""The oldest version that is meant: ReadWriteOncePod is stable since."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Target(_Strict):
    name: str


class _Fallback(_Strict):
    failureThreshold: int  # noqa: N815 - KEDA's names, here and below
    replicas: int


class _Autoscaler(_Strict):
    behavior: dict[str, object]


class _Advanced(_Strict):
    horizontalPodAutoscalerConfig: _Autoscaler  # noqa: N815


class _Consumer(_Strict):
    natsServerMonitoringEndpoint: str  # noqa: N815
    account: str
    stream: str
    consumer: str
    lagThreshold: Annotated[str, Field(pattern="^[0-9]+$")]  # noqa: N815


class _Trigger(_Strict):
    type: Literal["nats-jetstream"]
    metadata: _Consumer


class _ScaledObject(_Strict):
    """https://keda.sh/docs/latest/reference/scaledobject-spec/ and …/scalers/nats-jetstream/."""

    scaleTargetRef: _Target  # noqa: N815
    minReplicaCount: int  # noqa: N815
    maxReplicaCount: int  # noqa: N815
    pollingInterval: int  # noqa: N815
    fallback: _Fallback
    advanced: _Advanced
    triggers: list[_Trigger]


class _Selector(_Strict):
    matchLabels: dict[str, str]  # noqa: N815 - the Prometheus operator's names, here and below


class _Key(_Strict):
    name: str
    key: str


class _Authorization(_Strict):
    credentials: _Key


class _Relabeling(_Strict):
    targetLabel: str  # noqa: N815
    replacement: str


class _Endpoint(_Strict):
    port: str
    path: str
    interval: Annotated[str, Field(pattern="^[0-9]+(s|m)$")]
    authorization: _Authorization
    relabelings: list[_Relabeling]


class _ServiceMonitor(_Strict):
    """https://prometheus-operator.dev/docs/api-reference/api/."""

    selector: _Selector
    endpoints: list[_Endpoint]


class _Rule(_Strict):
    alert: str
    expr: str
    for_: Annotated[str, Field(alias="for")] = ""
    labels: dict[str, str]
    annotations: dict[str, str]


class _Group(_Strict):
    name: str
    rules: list[_Rule]


class _PrometheusRule(_Strict):
    groups: list[_Group]


_CUSTOM: dict[str, type[_Strict]] = {
    "keda.sh/v1alpha1 ScaledObject": _ScaledObject,
    "monitoring.coreos.com/v1 ServiceMonitor": _ServiceMonitor,
    "monitoring.coreos.com/v1 PrometheusRule": _PrometheusRule,
}


def validate(document: Document) -> None:
    """Raises `kubernetes_validate.ValidationError` or pydantic's for what a cluster would not take."""
    custom = _CUSTOM.get(f"{document['apiVersion']} {document['kind']}")
    if custom:
        custom.model_validate(document["spec"])
    else:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)


def of_kind(documents: list[Document], kind: str) -> Document:
    """The only one of that kind."""
    (found,) = [each for each in documents if each["kind"] == kind]
    return found
