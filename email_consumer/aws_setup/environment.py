"""The lines for `.env` that name what was set up."""

import os
import re
import tempfile
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from dotenv.parser import parse_stream

from email_consumer.aws_setup.plan import Plan
from email_consumer.runtime.errors import OperatorError
from email_consumer.settings import Settings

_QUEUES = {
    "SNS_EVENTS_QUEUE_URL": "EventsQueue",
    "SQS_QUEUE_URL": "MailQueue",
    "SQS_TRANSACTIONAL_QUEUE_URL": "TransactionalQueue",
}


class EnvironmentFileError(OperatorError):
    """The file can't be read or written."""


def variables(plan: Plan, settings: Settings) -> dict[str, str]:
    """The settings of this installation, as far as its resources are there."""
    values = plan.values
    found = {"AWS_REGION": values.account.region}
    if "from_email" not in settings.model_fields_set:
        found["FROM_EMAIL"] = f"no-reply@{values.parameters['Domain']}"
    if (step := plan.step("ConfigurationSet")) and step.found:
        found["CONFIGURATION_SET"] = values.parameters["ConfigurationSetName"]
    if (step := plan.step("EventsTopic")) and step.found:
        arn = step.wanted.properties["Arn"]
        found["SNS_TOPIC_ARNS"] = ",".join(dict.fromkeys([*settings.sns_topic_arns, arn]))
    for variable, resource in _QUEUES.items():
        if (step := plan.step(resource)) and step.found:
            found[variable] = step.found.details["url"]
    return found


def write(path: Path, wanted: Mapping[str, str]) -> dict[str, str]:
    """Add what the file does not set yet; what it sets otherwise stays, and is returned with its value there.

    Raises:
        EnvironmentFileError: it can't be read or written.
    """
    try:
        text = path.read_text() if path.exists() else ""
        present = {each.key: each.value or "" for each in parse_stream(StringIO(text)) if each.key}
        added = {name: value for name, value in wanted.items() if not present.get(name)}
        if added:
            _replace(path, _with(text, added))
    except (OSError, UnicodeDecodeError) as error:
        raise EnvironmentFileError(f"{path}: {error}") from error
    return {name: present[name] for name, value in wanted.items() if present.get(name) not in {None, "", value}}


def _with(text: str, added: Mapping[str, str]) -> str:
    """The file with lines at its end, without assignments of nothing that would come first."""
    kept = [line for line in text.splitlines() if not re.match(rf"({'|'.join(added)})=\s*$", line)]
    return "\n".join([*kept, *(f"{name}={value}" for name, value in added.items()), ""])


def _replace(path: Path, text: str) -> None:
    """Atomically, so that no reader sees half of it. A new file is private, since keys may be added to it."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    descriptor, name = tempfile.mkstemp(dir=path.resolve().parent, prefix=".env-")
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path.resolve())
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
