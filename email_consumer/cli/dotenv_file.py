"""`.env` in the working directory, merged into the environment."""

import os
from collections.abc import MutableMapping
from pathlib import Path

from dotenv.parser import parse_stream

from email_consumer.runtime.errors import OperatorError
from email_consumer.settings.names import misspelled

PATH = Path(".env")


class DotenvError(OperatorError):
    """The file can't be used; one line per error, each naming the file."""


def merge(environ: MutableMapping[str, str] = os.environ, path: Path = PATH) -> None:
    """Set what the file names and the environment doesn't, as Docker's --env-file reads it: without interpolation.

    Raises:
        DotenvError: it can't be read, a line of it is no assignment, or a name in it is a misspelled one of ours.
    """
    values = _read(path)
    errors = [  # in ASCII, so that a letter of another alphabet that looks the same shows
        f"{path}: {name if name.isascii() else ascii(name)} is not a variable of this program; did you mean {meant}?"
        for name, meant in misspelled(values).items()
    ]
    errors += [f"{path}: {name} contains a NUL character" for name, value in values.items() if "\0" in value]
    if errors:
        raise DotenvError("\n".join(errors))
    for name, value in values.items():
        environ.setdefault(name, value)


def _read(path: Path) -> dict[str, str]:
    values = {}
    errors = []
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for binding in parse_stream(stream):
                if binding.error:
                    errors.append(f"{path} line {binding.original.line}: is not of the form NAME=value")
                elif binding.key and binding.value is not None:
                    values[binding.key] = binding.value
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        raise DotenvError(f"{path}: is not UTF-8 text") from None
    except OSError as error:
        raise DotenvError(f"{path}: can't be read: {error.strerror}") from None
    if errors:
        raise DotenvError("\n".join(errors))
    return values
