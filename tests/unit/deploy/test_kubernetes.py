"""The Kubernetes manifests: valid by Kubernetes' own schemas, and saying what the program needs."""

import copy
from pathlib import Path
from typing import Annotated, Any, Literal

import kubernetes_validate
import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from email_consumer.settings import Settings, variables

_ROOT = Path(__file__).parents[3]
_MANIFESTS = _ROOT / "deploy" / "kubernetes"
_KUBERNETES = "1.29"
"""The oldest version that is meant: ReadWriteOncePod is stable since."""


class _Strict(BaseModel):
    """What of https://keda.sh/docs/latest/reference/scaledobject-spec/ and …/scalers/nats-jetstream/ is used here."""

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
    scaleTargetRef: _Target  # noqa: N815
    minReplicaCount: int  # noqa: N815
    maxReplicaCount: int  # noqa: N815
    pollingInterval: int  # noqa: N815
    fallback: _Fallback
    advanced: _Advanced
    triggers: list[_Trigger]


Document = dict[str, Any]


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    kustomization = yaml.safe_load((_MANIFESTS / "kustomization.yaml").read_text())
    files = {path.name for path in _MANIFESTS.iterdir()} - {"kustomization.yaml"}
    assert set(kustomization["resources"]) == files
    return [each for name in sorted(files) for each in yaml.safe_load_all((_MANIFESTS / name).read_text())]


def _the(documents: list[Document], kind: str) -> Document:
    (found,) = [each for each in documents if each["kind"] == kind]
    return found


def _validate(document: Document) -> None:
    if document["kind"] == "ScaledObject":
        _ScaledObject.model_validate(document["spec"])
    else:
        kubernetes_validate.validate(document, _KUBERNETES, strict=True)


def test_every_document_is_what_kubernetes_takes(documents: list[Document]) -> None:
    for document in documents:
        _validate(document)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "ScaledObject", "Service", "PodDisruptionBudget"])
def test_what_kubernetes_would_not_take_is_noticed(documents: list[Document], kind: str) -> None:
    broken = copy.deepcopy(_the(documents, kind))
    broken["spec"]["minReplicaCountt"] = 1
    with pytest.raises((ValidationError, kubernetes_validate.ValidationError)):
        _validate(broken)


@pytest.mark.parametrize(("kind", "role"), [("Deployment", "worker"), ("StatefulSet", "sidecar")])
def test_each_role_is_locked_down_and_has_time_to_drain(documents: list[Document], kind: str, role: str) -> None:
    document = _the(documents, kind)
    assert document["spec"]["selector"]["matchLabels"] == document["spec"]["template"]["metadata"]["labels"]
    pod = document["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"] == [role]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    (port,) = container["ports"]
    assert str(port["containerPort"]) == _the(documents, "ConfigMap")["data"]["SERVER_PORT"]
    assert {container[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe")} == {"/health"}
    assert f"USER {pod['securityContext']['runAsUser']}\n" in (_ROOT / "Dockerfile").read_text()
    assert pod["terminationGracePeriodSeconds"] > Settings().shutdown_grace + 5
    assert pod["serviceAccountName"] == _the(documents, "ServiceAccount")["metadata"]["name"]
    names = {_the(documents, kind)["metadata"]["name"] for kind in ("ConfigMap", "Secret")}
    assert {source["name"] for each in container["envFrom"] for source in each.values()} == names


def test_the_configuration_is_one_that_the_program_takes(documents: list[Document]) -> None:
    values, secrets = _the(documents, "ConfigMap")["data"], _the(documents, "Secret")["stringData"]
    documented = {names[0] for names in variables().values()}
    assert set(values) <= documented
    assert {name for name in secrets if not name.startswith("AWS_")} <= documented
    assert not any(secrets.values())
    assert Settings.model_validate(values | {"NATS_CA": __file__}).ledger == "jetstream"


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_nats_is_reached_over_tls_with_a_ca_that_is_mounted(documents: list[Document], kind: str) -> None:
    values, pod = _the(documents, "ConfigMap")["data"], _the(documents, kind)["spec"]["template"]["spec"]
    assert values["NATS_URL"].startswith("tls://")
    (container,) = pod["containers"]
    mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes[mounted[str(Path(values["NATS_CA"]).parent)]]["secret"]["secretName"] == "nats-ca"


def test_policies_name_the_ports_that_are_used(documents: list[Document]) -> None:
    every, sidecar = [each for each in documents if each["kind"] == "NetworkPolicy"]
    roles = [_the(documents, kind)["spec"]["template"] for kind in ("Deployment", "StatefulSet")]
    for role in roles:
        assert every["spec"]["podSelector"]["matchLabels"].items() <= role["metadata"]["labels"].items()
    assert sidecar["spec"]["podSelector"]["matchLabels"] == roles[1]["metadata"]["labels"]
    named = {port["name"] for role in roles for port in role["spec"]["containers"][0]["ports"]}
    rules = [*every["spec"]["ingress"], *sidecar["spec"]["ingress"]]
    assert {port["port"] for rule in rules for port in rule["ports"]} == named
    assert all(rule["from"] for rule in rules)
    nats = int(_the(documents, "ConfigMap")["data"]["NATS_URL"].rpartition(":")[2])
    assert {port["port"] for rule in every["spec"]["egress"] for port in rule["ports"]} == {53, nats, 443}


def test_the_sidecar_is_alone_with_its_file_and_reached_by_its_port(documents: list[Document]) -> None:
    values, sidecar = _the(documents, "ConfigMap")["data"], _the(documents, "StatefulSet")["spec"]
    (container,) = sidecar["template"]["spec"]["containers"]
    (claim,) = sidecar["volumeClaimTemplates"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts[claim["metadata"]["name"]] == str(Path(values["DB_PATH"]).parent)
    assert sidecar["replicas"] == 1
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    service = _the(documents, "Service")
    assert service["metadata"]["name"] == sidecar["serviceName"]
    assert service["spec"]["selector"] == sidecar["template"]["metadata"]["labels"]
    assert str(service["spec"]["ports"][0]["port"]) == values["SERVER_PORT"]


def test_workers_are_scaled_on_the_lag_of_the_consumer_they_pull_from(documents: list[Document]) -> None:
    values, scaling = _the(documents, "ConfigMap")["data"], _the(documents, "ScaledObject")["spec"]
    worker = _the(documents, "Deployment")
    assert scaling["scaleTargetRef"]["name"] == worker["metadata"]["name"]
    assert "replicas" not in worker["spec"]
    (trigger,) = scaling["triggers"]
    assert (trigger["metadata"]["stream"], trigger["metadata"]["consumer"]) == (values["STREAM"], values["CONSUMER"])
    assert int(trigger["metadata"]["lagThreshold"]) == 10 * int(values["SES_RATE_PER_SEC"])
    budget = _the(documents, "PodDisruptionBudget")["spec"]
    assert budget["selector"]["matchLabels"] == worker["spec"]["selector"]["matchLabels"]
    assert budget["minAvailable"] < scaling["minReplicaCount"] <= scaling["fallback"]["replicas"]
