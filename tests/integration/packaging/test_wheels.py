"""Our wheels in an empty environment, with and without their extras."""

import asyncio
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import aiohttp
import pytest

from tests.integration.packaging.lock import ROOT, closure
from tests.integration.packaging.wheels import build, pack
from tests.servers.daemon import Daemon

_SANDBOX = tomllib.loads((ROOT / "packages" / "ses-sandbox" / "pyproject.toml").read_text())["project"][
    "version"
].removesuffix("+local")
"""Its version, without the label."""


@dataclass(frozen=True)
class Environment:
    """An environment without any package, and the only place from which it gets some."""

    directory: Path
    links: Path

    def install(self, requirement: str) -> subprocess.CompletedProcess[str]:
        python = str(self.directory / "bin" / "python")
        links = ("--no-index", "--find-links", str(self.links), "--offline")
        return _uv("pip", "install", "--quiet", "--python", python, *links, requirement)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.directory / "bin" / words[0]), *words[1:]]
        environ = {"PATH": str(self.directory / "bin"), "HOME": str(self.directory)}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environ, cwd=self.directory)


def _uv(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "uv", "--no-config", *words], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="session")
def all_wheels(own_wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ours, and those of everything that they need."""
    directory = tmp_path_factory.mktemp("all-wheels")
    for wheel in own_wheels.iterdir():
        (directory / wheel.name).hardlink_to(wheel)
    required = [line for wheel in own_wheels.iterdir() for line in _required(wheel)]
    for name in closure(required):
        pack(name, directory)
    return directory


def _metadata(wheel: Path, field: str) -> list[str]:
    with ZipFile(wheel) as file:
        [name] = [name for name in file.namelist() if name.endswith(".dist-info/METADATA")]
        return re.findall(rf"^{field}: (.*)$", file.read(name).decode(), re.MULTILINE)


def _required(wheel: Path) -> list[str]:
    return _metadata(wheel, "Requires-Dist")


def test_a_release_names_where_the_project_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.example.com")
    monkeypatch.setenv("GITHUB_REPOSITORY", "example/mail")
    urls = dict(line.split(", ") for line in _metadata(build(ROOT, tmp_path / "release"), "Project-URL"))
    assert urls.keys() == {"Homepage", "Source", "Issues", "Documentation", "Changelog"}
    assert {url.removeprefix("https://github.example.com/example/mail") != url for url in urls.values()} == {True}

    monkeypatch.delenv("GITHUB_REPOSITORY")
    assert _metadata(build(ROOT, tmp_path / "elsewhere"), "Project-URL") == []


def _empty(directory: Path, links: Path) -> Environment:
    assert _uv("venv", "--quiet", "--python", sys.executable, str(directory)).returncode == 0
    return Environment(directory, links)


def test_without_the_extra_one_line_says_what_to_install(all_wheels: Path, tmp_path: Path) -> None:
    environment = _empty(tmp_path / "venv", all_wheels)
    assert environment.install("email-consumer").returncode == 0

    for words in (["run", "--local"], ["sandbox", "--port", "0"], ["sandbox", "--help"]):
        refused = environment.run("email-consumer", *words)

        assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
        assert re.match(rf"Error: `.*{words[0]}.*` needs ses-sandbox.*'email-consumer\[local\]'", refused.stderr)


async def test_the_first_mail_from_nothing_but_wheels(all_wheels: Path, tmp_path: Path) -> None:
    environment = _empty(tmp_path / "venv", all_wheels)
    installed = environment.install("email-consumer[local]")
    assert installed.returncode == 0, installed.stderr
    assert environment.run("ses-sandbox", "--help").returncode == 0
    assert environment.run("email-consumer", "sandbox", "--help").returncode == 0

    python = str(environment.directory / "bin" / "python")
    async with Daemon(tmp_path, {"SERVER_PORT": "0"}, "run", "--local", python=python) as daemon:
        said = "\n".join(str(line["event"]) for line in daemon.log)
        page = re.search(r"(http://127\.0\.0\.1:\d+)/ +the sandbox", said)
        line = re.search(r"^ *(echo .*publish --to you@example.com .*)$", said, re.MULTILINE)
        assert page
        assert line
        pasted = await asyncio.create_subprocess_shell(line[1], cwd=tmp_path)
        assert await pasted.wait() == 0
        async with (
            aiohttp.ClientSession(page[1]) as session,
            session.get("/messages/wait", params={"count": 1, "timeout": 200}) as answer,
        ):
            assert (await answer.json())["reached"]
        assert await daemon.stop() == 0


def test_the_sandbox_alone_needs_nothing_of_the_product(all_wheels: Path, tmp_path: Path) -> None:
    environment = _empty(tmp_path / "venv", all_wheels)
    assert environment.install("ses-sandbox").returncode == 0

    assert environment.run("ses-sandbox", "--help").returncode == 0
    assert environment.run("python", "-c", "import ses_sandbox.testing").returncode == 0
    assert environment.run("python", "-c", "import email_consumer").returncode == 1


_IMPORTS_OF_THE_CLIENT = {
    "": ("email_consumer_client", "email_consumer_client.nats"),
    "[nats]": ("email_consumer_client.nats", "email_consumer_client.django"),
    "[django]": ("email_consumer_client.django.mapping", "email_consumer_client.nats"),
}
"""By extra: what can be imported, and what can't."""


@pytest.mark.parametrize("extra", _IMPORTS_OF_THE_CLIENT)
def test_the_client_alone_needs_nothing_of_the_product(all_wheels: Path, tmp_path: Path, extra: str) -> None:
    environment = _empty(tmp_path / "venv", all_wheels)
    installed = environment.install(f"email-consumer-client{extra}")
    assert installed.returncode == 0, installed.stderr

    there, absent = _IMPORTS_OF_THE_CLIENT[extra]
    imported = environment.run("python", "-c", f"import {there}")
    assert imported.returncode == 0, imported.stderr
    for name in (absent, "email_consumer", "aiohttp", "pydantic"):
        assert environment.run("python", "-c", f"import {name}").returncode == 1


@pytest.mark.parametrize("version", [_SANDBOX, f"{_SANDBOX}.post1", "9.9"])
def test_a_strangers_package_of_that_name_is_never_taken(all_wheels: Path, tmp_path: Path, version: str) -> None:
    """No index takes an upload whose version has a local label, and no other satisfies the requirement."""
    links = tmp_path / "links"
    links.mkdir()
    for wheel in all_wheels.iterdir():
        if not wheel.name.startswith("ses_sandbox-"):
            (links / wheel.name).hardlink_to(wheel)
    stranger = f"ses_sandbox-{version}"
    with ZipFile(links / f"{stranger}-py3-none-any.whl", "w") as file:
        file.writestr(
            f"{stranger}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: ses-sandbox\nVersion: {version}\n"
        )
        file.writestr(f"{stranger}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{stranger}.dist-info/RECORD", "")
    environment = _empty(tmp_path / "venv", links)

    assert environment.install("ses-sandbox").returncode == 0  # it can be had
    refused = environment.install("email-consumer[local]")

    assert refused.returncode == 1
    assert f"ses-sandbox=={_SANDBOX}+local" in refused.stderr
