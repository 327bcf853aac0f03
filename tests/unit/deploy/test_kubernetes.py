"""The Kubernetes manifests: valid by Kubernetes' own schemas, and saying what the program needs."""

import copy
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from pydantic import ValidationError

from email_consumer.settings import Settings, variables
from tests.needs import needs
from tests.unit.deploy.resources import Document, of_kind, validate

_ROOT = Path(__file__).parents[3]
_MANIFESTS = _ROOT / "deploy" / "kubernetes"
_VERSION = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["version"]


def _documents(directory: Path) -> Iterator[Document]:
    """Those of a kustomization, without its transformations."""
    resources = yaml.safe_load((directory / "kustomization.yaml").read_text())["resources"]
    assert {name for name in resources if ".." not in name} == {
        path.name for path in directory.iterdir() if path.name != "kustomization.yaml"
    }
    for path in (directory / name for name in resources):
        yield from _documents(path) if path.is_dir() else yaml.safe_load_all(path.read_text())


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    return list(_documents(_MANIFESTS / "roles"))


@pytest.fixture(scope="module")
def run() -> list[Document]:
    return list(_documents(_MANIFESTS / "run"))


def test_every_document_is_what_kubernetes_takes(documents: list[Document], run: list[Document]) -> None:
    for document in documents + run:
        validate(document)


@needs("kubectl")
@pytest.mark.parametrize("which", ["roles", "run"])
def test_kustomize_renders_them_in_one_namespace_with_the_image_named_once(which: str) -> None:
    command = ["kubectl", "kustomize", str(_MANIFESTS / which)]
    rendered = list(yaml.safe_load_all(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    assert len(rendered) == len(list(_documents(_MANIFESTS / which)))
    for document in rendered:
        validate(document)
        if document["kind"] != "Namespace":
            assert document["metadata"]["namespace"] == "email-consumer"
        if document["kind"] in {"Deployment", "StatefulSet"}:
            (container,) = document["spec"]["template"]["spec"]["containers"]
            assert container["image"] == f"registry.example.com/email-consumer:{_VERSION}"


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "ScaledObject", "Service", "PodDisruptionBudget"])
def test_what_kubernetes_would_not_take_is_noticed(documents: list[Document], kind: str) -> None:
    broken = copy.deepcopy(of_kind(documents, kind))
    broken["spec"]["minReplicaCountt"] = 1
    with pytest.raises((ValidationError, kubernetes_validate.ValidationError)):
        validate(broken)


@pytest.mark.parametrize(("kind", "role"), [("Deployment", "worker"), ("StatefulSet", "sidecar")])
def test_each_role_is_locked_down_and_has_time_to_drain(documents: list[Document], kind: str, role: str) -> None:
    document = of_kind(documents, kind)
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
    assert str(port["containerPort"]) == of_kind(documents, "ConfigMap")["data"]["SERVER_PORT"]
    assert {container[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe")} == {"/health"}
    assert f"USER {pod['securityContext']['runAsUser']}\n" in (_ROOT / "Dockerfile").read_text()
    assert pod["terminationGracePeriodSeconds"] > Settings().shutdown_grace + 5
    assert pod["serviceAccountName"] == of_kind(documents, "ServiceAccount")["metadata"]["name"]
    names = {of_kind(documents, kind)["metadata"]["name"] for kind in ("ConfigMap", "Secret")}
    assert {source["name"] for each in container["envFrom"] for source in each.values()} == names


def test_the_configuration_is_one_that_the_program_takes(documents: list[Document]) -> None:
    values, secrets = of_kind(documents, "ConfigMap")["data"], of_kind(documents, "Secret")["stringData"]
    documented = {names[0] for names in variables().values()}
    assert set(values) <= documented
    assert {name for name in secrets if not name.startswith("AWS_")} <= documented
    assert not any(secrets.values())
    assert Settings.model_validate(values | {"NATS_CA": __file__}).ledger == "jetstream"


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_nats_is_reached_over_tls_with_a_ca_that_is_mounted(documents: list[Document], kind: str) -> None:
    values, pod = of_kind(documents, "ConfigMap")["data"], of_kind(documents, kind)["spec"]["template"]["spec"]
    assert values["NATS_URL"].startswith("tls://")
    (container,) = pod["containers"]
    mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes[mounted[str(Path(values["NATS_CA"]).parent)]]["secret"]["secretName"] == "nats-ca"


def test_policies_name_the_ports_that_are_used(documents: list[Document]) -> None:
    every, ingress = [each for each in documents if each["kind"] == "NetworkPolicy"]
    roles = [of_kind(documents, kind)["spec"]["template"] for kind in ("Deployment", "StatefulSet")]
    for role in roles:
        assert every["spec"]["podSelector"]["matchLabels"].items() <= role["metadata"]["labels"].items()
    (components,) = ingress["spec"]["podSelector"]["matchExpressions"]
    assert components["values"] == ["run", roles[1]["metadata"]["labels"][components["key"]]]
    named = {port["name"] for role in roles for port in role["spec"]["containers"][0]["ports"]}
    rules = [*every["spec"]["ingress"], *ingress["spec"]["ingress"]]
    assert {port["port"] for rule in rules for port in rule["ports"]} == named
    assert all(rule["from"] for rule in rules)
    nats = int(of_kind(documents, "ConfigMap")["data"]["NATS_URL"].rpartition(":")[2])
    assert {port["port"] for rule in every["spec"]["egress"] for port in rule["ports"]} == {53, nats, 443}


def test_the_sidecar_is_alone_with_its_file_and_reached_by_its_port(documents: list[Document]) -> None:
    values, sidecar = of_kind(documents, "ConfigMap")["data"], of_kind(documents, "StatefulSet")["spec"]
    (container,) = sidecar["template"]["spec"]["containers"]
    (claim,) = sidecar["volumeClaimTemplates"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts[claim["metadata"]["name"]] == str(Path(values["DB_PATH"]).parent)
    assert sidecar["replicas"] == 1
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    service = of_kind(documents, "Service")
    assert service["metadata"]["name"] == sidecar["serviceName"]
    assert service["spec"]["selector"] == sidecar["template"]["metadata"]["labels"]
    assert str(service["spec"]["ports"][0]["port"]) == values["SERVER_PORT"]


def test_workers_are_scaled_on_the_lag_of_the_consumer_they_pull_from(documents: list[Document]) -> None:
    values, scaling = of_kind(documents, "ConfigMap")["data"], of_kind(documents, "ScaledObject")["spec"]
    worker = of_kind(documents, "Deployment")
    assert scaling["scaleTargetRef"]["name"] == worker["metadata"]["name"]
    assert "replicas" not in worker["spec"]
    (trigger,) = scaling["triggers"]
    assert (trigger["metadata"]["stream"], trigger["metadata"]["consumer"]) == (values["STREAM"], values["CONSUMER"])
    assert int(trigger["metadata"]["lagThreshold"]) == 10 * int(values["SES_RATE_PER_SEC"])
    budget = of_kind(documents, "PodDisruptionBudget")["spec"]
    assert budget["selector"]["matchLabels"] == worker["spec"]["selector"]["matchLabels"]
    assert budget["minAvailable"] < scaling["minReplicaCount"] <= scaling["fallback"]["replicas"]


def test_run_is_the_sidecar_with_another_role(documents: list[Document], run: list[Document]) -> None:
    sidecar, alone = of_kind(documents, "StatefulSet"), of_kind(run, "StatefulSet")
    pods = [each["spec"]["template"]["spec"] for each in (sidecar, alone)]
    (its,), (own,) = (pod.pop("containers") for pod in copy.deepcopy(pods))
    assert pods[0] | {"containers": []} == pods[1] | {"containers": []}
    assert own == its | {"name": "email-consumer", "args": ["run"]}
    labels = alone["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/component"] == "run"
    assert of_kind(run, "Service")["spec"]["selector"] == alone["spec"]["selector"]["matchLabels"] == labels
    values = of_kind(run, "ConfigMap")["data"]
    assert values.keys() == of_kind(documents, "ConfigMap")["data"].keys() - {"LEDGER"}
    assert Settings.model_validate(values | {"NATS_CA": __file__}).ledger == "sqlite"
