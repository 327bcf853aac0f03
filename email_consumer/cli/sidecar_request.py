"""A command's request to the running sidecar, over its HTTP port on this machine."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import click

from email_consumer.settings import Settings

_PATIENCE = aiohttp.ClientTimeout(total=30)
_LONG_PATIENCE = aiohttp.ClientTimeout(total=None, connect=30)
"""For what looks through all tables: only a program that is gone ends the wait."""
_PATIENCE_BETWEEN_PIECES = aiohttp.ClientTimeout(total=None, connect=30, sock_read=30)


def ask_sidecar(
    settings: Settings,
    method: str,
    path: str,
    body: object = None,
    *,
    expected: Collection[int] = (200,),
    takes_long: bool = False,
) -> Any:  # noqa: ANN401 - whatever JSON can say
    """The JSON answer.

    Args:
        settings: name port and key.
        method: of the request.
        path: with its query, quoted as a URL wants it.
        body: sent as JSON.
        expected: statuses that are no errors.
        takes_long: the more rows there are, the longer the answer takes.

    Raises:
        click.ClickException: it isn't running, or refuses; in plain words.
    """
    _check(settings, path)
    patience = _LONG_PATIENCE if takes_long else _PATIENCE

    async def ask() -> Any:  # noqa: ANN401
        async with _answered(settings, method, path, body=body, expected=expected, patience=patience) as response:
            return await response.json()

    return asyncio.run(ask())


def download(settings: Settings, path: str, save: Callable[[bytes], object]) -> None:
    """Pass an answer of any size to `save`, piece by piece.

    Raises:
        click.ClickException: as `ask_sidecar`; also where the answer ends early.
    """
    _check(settings, path)
    asyncio.run(_download(settings, path, save))


def _check(settings: Settings, path: str) -> None:
    if path.partition("?")[0].endswith("/"):
        raise click.UsageError("an argument is empty")
    if settings.server_port == 0:
        raise click.ClickException("SERVER_PORT is 0, so nobody can tell the port; name the one that the log shows.")


async def _download(settings: Settings, path: str, save: Callable[[bytes], object]) -> None:
    async with _answered(settings, "GET", path, patience=_PATIENCE_BETWEEN_PIECES) as response:
        async for piece in response.content.iter_any():
            save(piece)


@asynccontextmanager
async def _answered(
    settings: Settings,
    method: str,
    path: str,
    *,
    body: object = None,
    expected: Collection[int] = (200,),
    patience: aiohttp.ClientTimeout = _PATIENCE,
) -> AsyncIterator[aiohttp.ClientResponse]:
    """The answer, if it has an expected status."""
    url = f"{settings.sidecar_url}{path}"
    headers = {"X-API-KEY": settings.api_key[0].get_secret_value()} if settings.api_key else {}
    try:
        async with (
            aiohttp.ClientSession(headers=headers, timeout=patience) as session,
            session.request(method, url, json=body) as response,
        ):
            if response.status not in expected:
                raise _refusal(settings, response.status, await response.json())
            yield response
    except aiohttp.ClientConnectorError:
        raise click.ClickException(
            f"nothing answers on port {settings.server_port} of this machine; is `email-consumer run` running, "
            "with the same SERVER_PORT?"
        ) from None
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise click.ClickException(f"port {settings.server_port} gave no answer of ours: {error}") from None


def _refusal(settings: Settings, status: int, answer: Any) -> click.ClickException:  # noqa: ANN401
    if status == 401:  # noqa: PLR2004
        hint = "API_KEY is not the running program's" if settings.api_key else "set API_KEY, here and there the same"
        return click.ClickException(f"refused: {hint}.")
    return click.ClickException(str(answer["error"]["message"]))
