"""`email-consumer sandbox`: the same as the command `ses-sandbox`, which comes with the extra `local`."""

import click

from email_consumer.local import extra


def _command() -> click.Command:
    try:
        extra.require("`email-consumer sandbox`")
    except extra.MissingExtraError as error:
        return _refusal(str(error))
    from ses_sandbox.__main__ import main  # noqa: PLC0415 - now it is known to be there

    return main


def _refusal(text: str) -> click.Command:
    """Fails whatever its arguments are, `--help` included: the options are known to the missing package only."""

    def refuse(arguments: tuple[str, ...]) -> None:  # noqa: ARG001 - click passes them
        raise click.ClickException(text)

    return click.Command(
        "sandbox",
        callback=refuse,
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True},
        add_help_option=False,
    )


command = _command()
