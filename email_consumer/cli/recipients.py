"""The recipients given to `publish`, validated."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import click

from email_consumer.message.address import normal_form, parse_address

_REPORTED = 10
_LONGEST_LINE = 10_000


def read_recipients(addresses: Sequence[str], file: Path | None) -> tuple[list[str], int]:
    """Addresses given one by one, then those of the file: one per line, without empty lines and `#` comments.

    Each address once, as first written, and the number of repetitions.

    Raises:
        click.ClickException: names each bad address (the first ten) with its place.
    """
    found: dict[str, str] = {}
    total = 0
    errors: list[str] = []
    for place, address in _places(addresses, file):
        try:
            parse_address(address)
        except ValueError as error:
            errors.append(f"{place}: {address!r} {error}")
            continue
        total += 1
        found.setdefault(normal_form(address), address)
    if errors:
        more = [f"and {len(errors) - _REPORTED} more"] if len(errors) > _REPORTED else []
        raise click.ClickException("nothing was published.\n" + "\n".join(errors[:_REPORTED] + more))
    if not found:
        raise click.UsageError("no recipient: give --to or --to-file")
    return [*found.values()], total - len(found)


def _places(addresses: Sequence[str], file: Path | None) -> Iterator[tuple[str, str]]:
    for address in addresses:
        yield "--to", address.strip()
    if file is None:
        return
    try:
        with file.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(iter(partial(lines.readline, _LONGEST_LINE), ""), start=1):
                if len(line) == _LONGEST_LINE:  # devices and pipes need not have line ends
                    raise click.ClickException(f"{file} line {number} has {_LONGEST_LINE:,} characters or more")
                address = line.strip()
                if address and not address.startswith("#"):
                    yield f"{file} line {number}", address
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{file} can't be read: {error}") from None
