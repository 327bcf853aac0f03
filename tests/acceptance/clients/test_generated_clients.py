"""Clients that generators make of the OpenAPI document: one in Python and one in TypeScript, each calling every route."""

import asyncio
import importlib
import inspect
import json
import os
import pkgutil
import shutil
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.api.conftest import KEY, Api

_TYPESCRIPT = Path(__file__).parent / "typescript"
_INSTALLED = _TYPESCRIPT / "node_modules"
_ENDLESS = "/v1/live"
_VALUES: dict[str, Any] = {
    "uuid": "u",
    "topic_id": "t",
    "plan_id": "t",
    "sequence": 1,
    "address": "a@example.com",
    "token": "x",
    "path": "app.js",
    "id": "x",
    "key": "topic:t",
    "text": "t",
    "email": "a@example.com",
}


def _documented(document: dict[str, Any]) -> dict[str, tuple[str, set[int]]]:
    """By operation id: its method and path, and the statuses that it may answer."""
    return {
        one["operationId"]: (f"{method.upper()} {path}", {int(status) for status in one["responses"]})
        for path, item in document["paths"].items()
        for method, one in item.items()
        if path != _ENDLESS
    }


async def _run(*command: str, cwd: Path) -> str:
    process = await asyncio.create_subprocess_exec(*command, cwd=cwd, stdout=PIPE, stderr=PIPE)
    out, err = await process.communicate()
    assert process.returncode == 0, f"{command}: {out.decode()}{err.decode()}"
    return out.decode()


async def test_a_python_client_reaches_every_route(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, document = await api.ask("GET", "/openapi.json")
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    generator = str(Path(sys.executable).with_name("openapi-python-client"))
    await _run(
        generator, "generate", "--path", "openapi.json", "--meta", "none", "--output-path", "made_client", cwd=tmp_path
    )
    monkeypatch.syspath_prepend(tmp_path)
    made = importlib.import_module("made_client")
    client = made.AuthenticatedClient(
        base_url=f"http://127.0.0.1:{api.port}", token=KEY, auth_header_name="X-API-KEY", prefix=""
    )
    statuses = {}
    package = importlib.import_module("made_client.api")
    for found in pkgutil.walk_packages(package.__path__, "made_client.api."):
        module = importlib.import_module(found.name)
        if found.ispkg or found.name.endswith("live_full"):
            continue
        wanted = inspect.signature(module.asyncio_detailed).parameters
        arguments = {
            name: client if name == "client" else _argument(made, name, parameter)
            for name, parameter in wanted.items()
            if parameter.default is inspect.Parameter.empty or name == "body"
        }
        statuses[found.name.rpartition(".")[2]] = int((await module.asyncio_detailed(**arguments)).status_code)
    await client.get_async_httpx_client().aclose()
    documented = _documented(document)
    assert set(statuses) == set(documented)
    for name, status in statuses.items():
        assert status in documented[name][1], (name, status)
    assert statuses["messages_create"] == statuses["messages_list"] == statuses["topics_cancel"] == 200


_BODIES: dict[str, Any] = {
    "NewMessages": {"messages": [{"emails": ["a@example.com"], "subject": "s", "content": "c"}]},
    "NewSuppression": {"address": "b@example.com"},
    "NewKey": {"name": "a key", "scopes": ["read"]},
    "NewHold": {"key": "topic:t", "reason": "a test"},
    "NewErasure": {"address": "c@example.com"},
    "NewLinkSecret": {"forget_old": False},
    "UnsubscribeForm": {"List-Unsubscribe": "One-Click"},
    "SnsMessage": dict.fromkeys(
        ("Type", "MessageId", "TopicArn", "Message", "Timestamp", "SignatureVersion", "Signature", "SigningCertURL"),
        "x",
    ),
}


def _argument(made: Any, name: str, parameter: inspect.Parameter) -> Any:
    if name != "body":
        return _VALUES[name]
    models = importlib.import_module(f"{made.__name__}.models")
    kind = next(kind for kind in _BODIES if kind in str(parameter.annotation))
    return getattr(models, kind).from_dict(_BODIES[kind])


@pytest.mark.skipif(
    not _INSTALLED.exists() and not os.environ.get("CI"),
    reason="TypeScript is needed (npm ci in tests/acceptance/clients/typescript)",
)
async def test_a_typescript_client_reaches_every_route(api: Api, tmp_path: Path) -> None:
    _, document = await api.ask("GET", "/openapi.json")
    for name in ("client.ts", "tsconfig.json", "package.json"):
        shutil.copy(_TYPESCRIPT / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(_INSTALLED)
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    tools = _INSTALLED / ".bin"
    await _run(str(tools / "openapi-typescript"), "openapi.json", "--output", "generated.ts", cwd=tmp_path)
    await _run(str(tools / "tsc"), cwd=tmp_path)
    printed = await _run("node", "build/client.js", f"http://127.0.0.1:{api.port}", KEY, cwd=tmp_path)
    answer = json.loads(printed)
    documented = dict(_documented(document).values())
    assert set(answer["statuses"]) == set(documented)
    for route, status in answer["statuses"].items():
        assert status in documented[route], (route, status)
    assert answer["total"] == 1
