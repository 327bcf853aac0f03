"""`email-consumer doctor` as a process: what it prints, and its exit code."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from tests.acceptance.doctor.conftest import Installation


async def run_doctor(
    installation: Installation, tmp_path: Path, *options: str, **variables: str
) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "email_consumer",
        "doctor",
        *options,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], **aws, **installation.variables, **variables},
        stdout=PIPE,
        stderr=PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_all_is_well(installation: Installation, tmp_path: Path) -> None:
    code, out, err = await run_doctor(installation, tmp_path)
    assert (code, err) == (0, "")
    assert "All is well" in out
    assert installation.variables["API_KEY"] not in out


async def test_a_warning_is_exit_code_1(installation: Installation, tmp_path: Path) -> None:
    await installation.sandbox.put("/sandbox/account", {"production_access": False})
    code, out, _ = await run_doctor(installation, tmp_path)
    assert (code, out.splitlines()[-1]) == (1, "1 warning.")
    line = next(index for index, line in enumerate(out.splitlines()) if "ses.production" in line)
    assert out.splitlines()[line].startswith("warning  ses.production")
    assert out.splitlines()[line + 1].lstrip().startswith("→ Ask for production access")


async def test_errors_are_exit_code_2_and_json_has_one_shape(installation: Installation, tmp_path: Path) -> None:
    await installation.sandbox.put("/sandbox/account", {"sending_enabled": False})
    code, out, err = await run_doctor(installation, tmp_path, "--json", NATS_URL="nats://127.0.0.1:9")
    assert (code, err) == (2, "")
    document = json.loads(out)
    assert set(document) == {"severity", "findings"}
    assert document["severity"] == "error"
    assert {tuple(each) for each in document["findings"]} == {("check", "severity", "text", "fix")}
    assert {each["check"] for each in document["findings"] if each["severity"] == "error"} == {
        "nats.reachable",
        "ses.sending",
    }
    assert all(each["fix"] for each in document["findings"] if each["severity"] in {"warning", "error"})


async def test_settings_that_can_t_be_read_are_findings(installation: Installation, tmp_path: Path) -> None:
    code, out, _ = await run_doctor(installation, tmp_path, "--json", MAX_ATTEMPTS="many", IN_DOUBT="maybe")
    faults = [each["text"] for each in json.loads(out)["findings"] if each["check"] == "settings.valid"]
    assert code == 2
    assert [text.partition(":")[0] for text in faults] == ["MAX_ATTEMPTS", "IN_DOUBT"]
