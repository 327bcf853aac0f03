"""Lists of any size as a file: CSV with a header line, or JSON with an object per line."""

import csv
import io
from collections.abc import AsyncIterable, Sequence

from aiohttp import web
from pydantic import BaseModel

CSV, NDJSON = "text/csv", "application/x-ndjson"
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\t", "\r", "\n")
"""How a cell begins that a spreadsheet may run, the full-width signs included: https://owasp.org/www-community/attacks/CSV_Injection."""


async def export(
    request: web.Request, kind: str, model: type[BaseModel], pages: AsyncIterable[Sequence[BaseModel]]
) -> web.StreamResponse:
    """Respond with all entries, page by page; `kind` is `CSV` or `NDJSON`.

    In CSV, a text that a spreadsheet would run as a formula begins with an apostrophe; NDJSON has each text as it is.
    """
    lines = _csv_lines if kind == CSV else _json_lines
    response = web.StreamResponse()
    response.content_type = kind
    response.charset = "utf-8"
    await response.prepare(request)
    try:
        await response.write((",".join(model.model_fields) + "\r\n").encode() if kind == CSV else b"")
        async for entries in pages:
            if entries:
                await response.write(lines(entries).encode())
        await response.write_eof()
    except Exception:
        if request.transport is not None:
            request.transport.abort()  # so that nobody takes the part for the whole
        raise
    return response


def _csv_lines(entries: Sequence[BaseModel]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(map(_cell, entry.model_dump(mode="json").values()) for entry in entries)
    return text.getvalue()


def _cell(value: object) -> object:
    """Strangers choose topics, uuids and subjects, and write the reasons of bounces."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _json_lines(entries: Sequence[BaseModel]) -> str:
    return "".join(f"{entry.model_dump_json()}\n" for entry in entries)
