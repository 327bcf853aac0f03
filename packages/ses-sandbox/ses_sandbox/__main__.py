"""The command `ses-sandbox`, also `python -m ses_sandbox`."""

import asyncio
import gc
import os
import sys
from pathlib import Path

import click
import orjson
import uvloop

from ses_sandbox.config import SandboxConfig
from ses_sandbox.data_directory import DirectoryInUseError
from ses_sandbox.server import serve


def _forever(_context: click.Context, _parameter: click.Parameter, retries: int) -> int | None:
    return None if retries < 0 else retries


@click.command()
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), required=True, help="Directory to keep.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--name", "names", multiple=True, help="Another name it is reached by, such as its container's.")
@click.option("--port", default=0, show_default=True, help="0 takes a free one.")
@click.option("--access-key", default="sandbox", show_default=True)
@click.option("--secret-key", default="sandbox-secret", show_default=True)
@click.option("--region", default=None, help="The only region requests may be signed for; default: any.")
@click.option("--max-send-rate", default=10_000.0, show_default=True, help="Recipients a second.")
@click.option("--max-24-hour-send", default=-1.0, show_default=True, help="Recipients in 24 hours; -1: unlimited.")
@click.option("--keep", default=100_000, show_default=True, help="How many mails, the newest, stay stored.")
@click.option("--events-to", default=None, help="URL that gets the SES events through a signed SNS envelope.")
@click.option("--event-retry-delay", default=20.0, show_default=True, help="Seconds between attempts to post an event.")
@click.option(
    "--event-max-retries",
    default=3,
    show_default=True,
    help="Attempts after the first; -1: for ever.",
    callback=_forever,
)
def main(**options: object) -> None:
    """Serve a local stand-in for Amazon SES until SIGTERM. Prints one JSON line with its URL once it listens."""
    os.umask(0o077)
    gc.freeze()  # what was imported lives as long as the process: no need to scan it for garbage
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(serve(SandboxConfig(**options), _announce))  # type: ignore[arg-type]  # click has checked them
        except (DirectoryInUseError, OSError) as error:
            raise click.ClickException(str(error)) from error


def _announce(url: str) -> None:
    sys.stdout.write(orjson.dumps({"event": "sandbox.ready", "url": url}).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
