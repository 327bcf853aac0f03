"""The settings as a command gets them: bad ones end it with one line each."""

import click

from email_consumer.settings import Settings, SettingsError, load_settings


class BadSettings(click.ClickException):
    """Exit code 2, as click itself does for bad usage."""

    exit_code = 2

    def show(self, file: object = None) -> None:  # noqa: ARG002 - click's signature
        click.echo(self.message, err=True)


def configuration() -> Settings:
    """The settings of the environment.

    Raises:
        BadSettings: prints one line per bad value.
    """
    try:
        return load_settings()
    except SettingsError as error:
        raise BadSettings(str(error)) from None
