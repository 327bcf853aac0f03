"""A command's request to the running sidecar, over its HTTP port on this machine."""

import asyncio
from collections.abc import Collection
from typing import Any

import aiohttp
import click

from email_consumer.settings import Settings

_PATIENCE = aiohttp.ClientTimeout(total=30)


def ask_sidecar(
    settings: Settings, method: str, path: str, body: object = None, *, expected: Collection[int] = (200,)
) -> Any:  # noqa: ANN401 - whatever JSON can say
    """The JSON answer.

    Args:
        settings: name port and key.
        method: of the request.
        path: with its query, quoted as a URL wants it.
        body: sent as JSON.
        expected: statuses that are no errors.

    Raises:
        click.ClickException: it isn't running, or refuses; in plain words.
    """
    if settings.server_port == 0:
        raise click.ClickException("SERVER_PORT is 0, so nobody can tell the port; name the one that the log shows.")
    return asyncio.run(_ask(settings, method, path, body, expected))


async def _ask(settings: Settings, method: str, path: str, body: object, expected: Collection[int]) -> Any:  # noqa: ANN401
    url = f"{settings.sidecar_url}{path}"
    headers = {"X-API-KEY": settings.api_key[0].get_secret_value()} if settings.api_key else {}
    try:
        async with (
            aiohttp.ClientSession(headers=headers, timeout=_PATIENCE) as session,
            session.request(method, url, json=body) as response,
        ):
            answer = await response.json()
    except aiohttp.ClientConnectorError:
        raise click.ClickException(
            f"nothing answers on port {settings.server_port} of this machine; is `email-consumer run` running, "
            "with the same SERVER_PORT?"
        ) from None
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise click.ClickException(f"port {settings.server_port} gave no answer of ours: {error}") from None
    if response.status in expected:
        return answer
    if response.status == 401:  # noqa: PLR2004
        hint = "API_KEY is not the running program's" if settings.api_key else "set API_KEY, here and there the same"
        raise click.ClickException(f"refused: {hint}.")
    raise click.ClickException(str(answer["error"]["message"]))
