"""The compose files: valid by the specification's own schema, and saying what the program needs."""

import json
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from email_consumer.settings import Settings, variables

_ROOT = Path(__file__).parents[3]
_COMPOSE = _ROOT / "deploy" / "compose.yaml"
_ROLES = _ROOT / "deploy" / "compose.roles.yaml"


def _valid(path: Path) -> bool:
    # Which carries https://github.com/compose-spec/compose-spec/blob/main/schema/compose-spec.json.
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(_COMPOSE.read_text())
    return loaded


def test_it_is_a_compose_file(tmp_path: Path, document: dict[str, Any]) -> None:
    assert _valid(_COMPOSE)
    document = json.loads(json.dumps(document))
    document["services"]["email-consumer"]["read_onlyy"] = True
    broken = tmp_path / "compose.json"
    broken.write_text(json.dumps(document))
    assert not _valid(broken)


def test_every_service_is_locked_down_and_watched(document: dict[str, Any]) -> None:
    for service in document["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["tmpfs"] == ["/tmp"]  # noqa: S108 - of the container
        assert service["healthcheck"]["test"][0] == "CMD"
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_the_container_runs_as_the_image_s_user_and_has_time_to_drain(document: dict[str, Any]) -> None:
    service = document["services"]["email-consumer"]
    dockerfile = (_ROOT / "Dockerfile").read_text()
    assert f"USER {service['user'].partition(':')[0]}\n" in dockerfile
    assert int(service["stop_grace_period"].removesuffix("s")) > Settings().shutdown_grace + 5
    assert service["depends_on"]["nats"]["condition"] == "service_healthy"


def test_variables_are_ones_that_the_program_reads(document: dict[str, Any]) -> None:
    service = document["services"]["email-consumer"]
    assert set(service["environment"]) <= {names[0] for names in variables().values()}
    port = service["environment"]["SERVER_PORT"]
    assert service["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"http://127.0.0.1:{port}/health" in service["healthcheck"]["test"][-1]
    mounts = {mount.partition(":")[2] for mount in service["volumes"]}
    assert str(Path(service["environment"]["DB_PATH"]).parent) in mounts
    assert set(document["volumes"]) == {
        mount.partition(":")[0] for each in document["services"].values() for mount in each["volumes"]
    }


def test_nats_server_takes_its_configuration(tmp_path: Path, document: dict[str, Any]) -> None:
    config = tmp_path / "nats-server.conf"
    config.write_text(document["configs"]["nats-server"]["content"])
    server = Path(sysconfig.get_path("scripts")) / "nats-server"
    checked = subprocess.run([server, "-t", "-c", config], check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    config.write_text("jetstream { sync_interval: sometimes }")
    assert subprocess.run([server, "-t", "-c", config], check=False, capture_output=True).returncode != 0


def test_roles_are_the_same_service_with_another_command(document: dict[str, Any]) -> None:
    assert _valid(_ROLES)
    alone, roles = document["services"]["email-consumer"], yaml.safe_load(_ROLES.read_text())["services"]
    sidecar, worker = roles["email-consumer"], roles["worker"]
    assert (sidecar["command"], worker["command"]) == (["sidecar"], ["worker"])
    same = set(alone) - {"ports", "volumes", "environment", "healthcheck"}
    assert {key: worker[key] for key in same} == {key: alone[key] for key in same}
    assert worker["healthcheck"]["test"] == alone["healthcheck"]["test"]
    values = alone["environment"] | sidecar["environment"]
    assert worker["environment"] == {name: value for name, value in values.items() if name != "DB_PATH"}
    assert Settings.model_validate(values).ledger == "jetstream"
