"""The Helm chart, rendered by helm: valid by Kubernetes' own schemas, and saying what the program needs."""

import json
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from email_consumer.settings import Settings, variables
from tests.needs import needs
from tests.unit.deploy.resources import KUBERNETES, Document, of_kind, validate

_ROOT = Path(__file__).parents[3]
_CHART = _ROOT / "deploy" / "helm"
_NEEDED = {"env": {"FROM_EMAIL": "no-reply@example.com", "AWS_REGION": "eu-central-1"}}
_ON = {"enabled": True}
_EVERYTHING = {
    "image": {"digest": f"sha256:{'0' * 64}", "pullSecrets": [{"name": "registry"}]},
    "secret": {"values": {"API_KEY": "key"}},
    "nats": {"caSecret": "nats-ca"},
    "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/mail"}},
    "persistence": {"storageClass": "fast"},
    "podAnnotations": {"a": "b"},
    "nodeSelector": {"kubernetes.io/arch": "arm64"},
    "tolerations": [{"key": "mail", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "worker": {"keda": _ON},
    "ingress": _ON | {"className": "nginx", "annotations": {"cert-manager.io/cluster-issuer": "issuer"}},
    "networkPolicy": _ON,
    "serviceMonitor": _ON | {"labels": {"release": "prometheus"}},
    "prometheusRule": _ON | {"labels": {"release": "prometheus"}},
    "grafanaDashboard": _ON,
}

pytestmark = needs("helm")


def _run(*arguments: str, values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    command = ["helm", *arguments, "--kube-version", KUBERNETES, "--values", "-"]
    return subprocess.run(command, input=json.dumps(values), check=False, capture_output=True, text=True)


def _refusal(**values: Any) -> str:
    ended = _run("template", "mail", str(_CHART), values=_NEEDED | values)
    assert ended.returncode
    return ended.stderr


def _render(**values: Any) -> list[Document]:
    ended = _run("template", "mail", str(_CHART), "--namespace", "post", values=_NEEDED | values)
    assert not ended.returncode, ended.stderr
    documents = [each for each in yaml.safe_load_all(ended.stdout) if each]
    for document in documents:
        validate(document)
        assert document["metadata"]["namespace"] == "post"
    names = [(document["kind"], document["metadata"]["name"]) for document in documents]
    assert len(set(names)) == len(names)
    return documents


@pytest.fixture(scope="module")
def run() -> list[Document]:
    return _render()


@pytest.fixture(scope="module")
def roles() -> list[Document]:
    return _render(mode="roles", **_EVERYTHING)


def _pods(documents: list[Document]) -> dict[str, Document]:
    kinds = {"Deployment", "StatefulSet"}
    templates = [each["spec"]["template"] for each in documents if each["kind"] in kinds]
    return {each["metadata"]["labels"]["app.kubernetes.io/component"]: each for each in templates}


def test_it_passes_helm_s_own_checks() -> None:
    for mode in ("run", "roles"):
        ended = _run("lint", "--strict", str(_CHART), values={"mode": mode} | _EVERYTHING | _NEEDED)
        assert not ended.returncode, ended.stdout


def test_it_is_of_the_program_s_version() -> None:
    chart = yaml.safe_load((_CHART / "Chart.yaml").read_text())
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    assert chart["appVersion"] == project["version"]


def test_by_default_it_is_run_alone(run: list[Document]) -> None:
    assert sorted(each["kind"] for each in run) == ["ConfigMap", "Service", "ServiceAccount", "StatefulSet"]
    assert _pods(run).keys() == {"run"}
    assert _settings(run).ledger == "sqlite"


def test_with_roles_there_are_workers_and_one_sidecar(roles: list[Document]) -> None:
    assert _pods(roles).keys() == {"sidecar", "worker"}
    assert of_kind(roles, "StatefulSet")["spec"]["replicas"] == 1
    assert _settings(roles).ledger == "jetstream"
    fixed = of_kind(_render(mode="roles", worker={"replicas": 3}), "Deployment")["spec"]
    assert fixed["replicas"] == 3
    scaled = of_kind(roles, "ScaledObject")["spec"]
    assert "replicas" not in of_kind(roles, "Deployment")["spec"]
    assert scaled["scaleTargetRef"]["name"] == of_kind(roles, "Deployment")["metadata"]["name"]
    (trigger,) = scaled["triggers"]
    assert int(trigger["metadata"]["lagThreshold"]) == 10 * _settings(roles).ses_rate_per_sec


def _settings(documents: list[Document]) -> Settings:
    """Those of the config map that isn't the dashboard's."""
    values = next(each["data"] for each in documents if each["kind"] == "ConfigMap" and "DB_PATH" in each["data"])
    assert set(values) <= {names[0] for names in variables().values()}
    return Settings.model_validate(values | ({"NATS_CA": __file__} if "NATS_CA" in values else {}))


@pytest.mark.parametrize("which", ["run", "roles"])
def test_each_pod_is_locked_down_and_has_time_to_drain(which: str, request: pytest.FixtureRequest) -> None:
    documents = request.getfixturevalue(which)
    for role, template in _pods(documents).items():
        pod = template["spec"]
        (container,) = pod["containers"]
        assert container["args"] == [role]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert f"USER {pod['securityContext']['runAsUser']}\n" in (_ROOT / "Dockerfile").read_text()
        assert pod["terminationGracePeriodSeconds"] > _settings(documents).shutdown_grace + 5
        assert pod["serviceAccountName"] == of_kind(documents, "ServiceAccount")["metadata"]["name"]
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert ("data" in mounts) == (role != "worker")


def test_selectors_find_their_pods(roles: list[Document]) -> None:
    labels = {role: template["metadata"]["labels"] for role, template in _pods(roles).items()}
    for kind, role in (("Deployment", "worker"), ("StatefulSet", "sidecar"), ("PodDisruptionBudget", "worker")):
        assert of_kind(roles, kind)["spec"]["selector"]["matchLabels"] == labels[role]
    services = {each["metadata"]["name"]: each for each in roles if each["kind"] == "Service"}
    assert {role: services[f"mail-email-consumer-{role}"]["spec"]["selector"] for role in labels} == labels
    assert of_kind(roles, "StatefulSet")["spec"]["serviceName"] in services
    (path,) = of_kind(roles, "Ingress")["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"]["name"] == of_kind(roles, "StatefulSet")["spec"]["serviceName"]
    every, ingress = [each["spec"] for each in roles if each["kind"] == "NetworkPolicy"]
    assert all(every["podSelector"]["matchLabels"].items() <= each.items() for each in labels.values())
    assert ingress["podSelector"]["matchLabels"] == labels["sidecar"]


def test_prometheus_scrapes_what_rules_and_dashboard_ask_for(roles: list[Document]) -> None:
    monitor = of_kind(roles, "ServiceMonitor")["spec"]
    for service in (each for each in roles if each["kind"] == "Service"):
        assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["endpoints"]
    assert endpoint["relabelings"] == [{"targetLabel": "job", "replacement": "email_consumer"}]
    key, secret = endpoint["authorization"]["credentials"], of_kind(roles, "Secret")
    assert (key["name"], set(secret["stringData"])) == (secret["metadata"]["name"], {key["key"]})
    rules = yaml.safe_load((_ROOT / "deploy" / "alerts.yaml").read_text())
    assert of_kind(roles, "PrometheusRule")["spec"] == rules
    (dashboard,) = [each["data"] for each in roles if each["metadata"]["name"].endswith("-dashboard")]
    assert json.loads(*dashboard.values()) == json.loads((_ROOT / "deploy" / "grafana.json").read_text())


def test_a_changed_setting_restarts_the_pods(run: list[Document]) -> None:
    changed = _render(env=_NEEDED["env"] | {"MAX_ATTEMPTS": "7"})
    before, after = (_pods(each)["run"]["metadata"]["annotations"] for each in (run, changed))
    assert before.keys() == after.keys()
    assert before != after


def test_a_secret_that_exists_is_used(run: list[Document]) -> None:
    (container,) = _pods(run)["run"]["spec"]["containers"]
    assert [list(source) for source in container["envFrom"]] == [["configMapRef"]]
    (container,) = _pods(_render(secret={"existing": "keys"}))["run"]["spec"]["containers"]
    assert container["envFrom"][1] == {"secretRef": {"name": "keys"}}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"env": {}}, "/env/FROM_EMAIL"),
        ({"mode": "both"}, "/mode"),
        ({"env": _NEEDED["env"] | {"MAX_ATTEMPTS": 7}}, "/env/MAX_ATTEMPTS"),
        ({"env": _NEEDED["env"] | {"DB_PATH": "/x"}}, "env.DB_PATH: the chart sets it"),
        ({"image": {"digest": "latest"}}, "/image/digest"),
        ({"worker": {"replicas": 0}}, "/worker/replicas"),
        ({"ingres": _ON}, "ingres"),
    ],
)
def test_a_wrong_value_is_named(values: dict[str, Any], named: str) -> None:
    assert named in _refusal(**values)
