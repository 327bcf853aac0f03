"""The settings as a command gets them, its logs set up with them."""

import os
import sys
from pathlib import Path

import click
import structlog

from email_consumer.cli.terminal import say
from email_consumer.local.servers import use_running_servers
from email_consumer.observe.level import LogFilter
from email_consumer.observe.logging import configure
from email_consumer.settings import Settings, SettingsError, api_keys, load_settings
from email_consumer.settings.names import contradictions, misspelled

_log = structlog.get_logger(__name__)


class BadSettings(click.ClickException):
    """Prints one line per bad value; exit code 2, as click itself does for bad usage."""

    exit_code = 2

    def show(self, file: object = None) -> None:  # noqa: ARG002 - click's signature
        say(self.message, err=True)


def serving(*, local: bool = False) -> Settings:
    """For a long-running command: its logs are its output, and its files are private.

    Raises:
        BadSettings: one line per bad value; unless `local`, also for a well-known API key.
    """
    settings = load()
    keys = [key.get_secret_value() for key in settings.api_key]
    if not local and any(map(api_keys.well_known, keys)):
        raise BadSettings(f"API_KEY: holds a key that anybody would try first; {api_keys.ADVICE}")
    os.umask(0o027 if settings.db_group_read else 0o077)
    configure(LogFilter.parse(settings.log_level), settings.log_format, sys.stdout)
    _warn_of_names()
    if not local and api_keys.short(keys):
        _log.warning("settings.short_api_key", fewer_than=api_keys.SHORT, hint=api_keys.ADVICE)
    return settings


def prefer_running(data: Path) -> None:
    """Without NATS_URL, and with `run --local` running in the directory `data`, use its servers."""
    if not os.environ.get("NATS_URL"):
        use_running_servers(os.environ, data)


def answering(data: Path | None = None) -> Settings:
    """For a command that prints an answer: logs go to stderr, only warnings unless LOG_LEVEL asks for more.

    With `data`, the settings of a local mode running there take precedence; see `prefer_running`.

    Raises:
        BadSettings: one line per bad value.
    """
    if data:
        prefer_running(data)
    settings = load()
    level = settings.log_level if "log_level" in settings.model_fields_set else "warning"
    configure(LogFilter.parse(level), settings.log_format, sys.stderr)
    return settings


def load() -> Settings:
    """The settings alone, for a process whose logs are already set up.

    Raises:
        BadSettings: one line per bad value.
    """
    try:
        return load_settings()
    except SettingsError as error:
        raise BadSettings(str(error)) from None


def _warn_of_names() -> None:
    # Not an error, as in `.env`: orchestrators add other variables to the environment.
    for name, meant in misspelled(os.environ).items():
        _log.warning("settings.unknown_variable", variable=name, did_you_mean=meant)
    for used, ignored in contradictions(os.environ):
        _log.warning("settings.contradiction", used=used, ignored=ignored, hint="they are names of one setting")
