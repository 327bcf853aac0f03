"""docs/message.md, made from the model: `python -m tests.unit.message.reference` writes it."""

import ast
import inspect
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgpack
import orjson
from pydantic import BaseModel

from email_consumer.message.content import Content
from email_consumer.message.fields import (
    _MAX_HEADER,
    MAX_ATTACHMENTS,
    MAX_BYTES,
    MAX_HEADERS,
    MAX_RECIPIENTS,
    MAX_TAGS,
    Attachment,
)
from email_consumer.message.model import ARRAY_FIELDS, Addressed, decode
from email_consumer.message.wire_format import MAX_ELEMENTS

PATH = Path(__file__).parents[3] / "docs" / "message.md"

_ADDRESS = "address, or `Name <address>`"
_KINDS = {
    "Key": "text, 1 to 256 characters, no NUL",
    "MailAddress": _ADDRESS,
    "MailAddresses": f"list of addresses, or one; `email`, `cc` and `bcc` together at most {MAX_RECIPIENTS}",
    "OneLine": "text on one line",
    "str": "text",
    "Topic": "text on one line, 1 to 256 characters; a whole number is read as text",
    "Headers": f"map of text to text, at most {MAX_HEADERS - 1} ({MAX_HEADERS - 3} with `list_unsubscribe`); "
    f"name and value at most {_MAX_HEADER} characters as they are sent",
    "Attachments": f"list of maps, at most {MAX_ATTACHMENTS}",
    "Tags": f"map, at most {MAX_TAGS}; names and values 1 to 256 of `A-Z a-z 0-9 _ -`",
    "ConfigurationSet": "text, 1 to 64 of `A-Z a-z 0-9 _ -`",
    "UnsubscribeGroup": "text, 1 to 64 of `A-Z a-z 0-9 _ . -`",
    "Window": "text, see below",
    "Zone": "name of the tz database, such as `Europe/Berlin`",
    "Tenant": "text, 1 to 64 of `A-Z a-z 0-9 _ -`",
    "LaneName": "`transactional` or `bulk`",
    "bool": "true or false",
    "Time": "time, see below",
    "ListUnsubscribe": "true, false, or links in the form `<https://…>, <mailto:…>`",
    "Annotated[OneLine, Field(min_length=1, max_length=255)]": "text on one line, 1 to 255 characters",
    "Annotated[OneLine, Field(min_length=1, max_length=78)]": "text on one line, 1 to 78 characters",
    "Annotated[bytes, BeforeValidator(_base64)]": "bytes; in JSON base64",
}
_EXAMPLES: dict[str, object] = {
    "uuid": "0199f3a2-6b1c-7d4e-9a51-2f0c8e7b6d35",
    "email": "Jane Doe <jane@example.com>",
    "subject": "Your order has been shipped",
    "body": "<h1>On its way</h1>",
    "topic_id": "orders",
    "text": "On its way",
    "from_email": "Example <orders@example.com>",
    "reply_to": ["help@example.com"],
    "cc": ["john@example.com"],
    "bcc": ["archive@example.com"],
    "headers": {"X-Campaign": "autumn"},
    "attachments": [
        {"filename": "plan.txt", "content": "cGxhbg==", "content_type": "text/plain", "content_id": "plan"}
    ],
    "tags": {"team": "shop"},
    "configuration_set": "email-consumer",
    "track_opens": False,
    "track_clicks": False,
    "scheduled_at": "2030-01-01T09:00:00+09:00",
    "expires_at": "2030-01-02T00:00:00Z",
    "list_unsubscribe": True,
    "unsubscribe_group": "news",
    "lane": "bulk",
    "tenant": "acme",
    "send_window": "mon-fri 09:00-18:00",
    "timezone": "Asia/Seoul",
}
_HEAD = """# The message

What publishers write to the stream, field by field. A message is MessagePack or JSON, a map or the short array; over SQS it is
JSON, or MessagePack in base64. `POST /v1/messages` accepts the same fields except `uuid`, which it makes (`content` instead of
`body`; `emails` has one mail per address).

- Keys are snake_case or camelCase (`topic_id`, `topicId`); `plan_id` is an older name of `topic_id`. In MessagePack, text may be
  str, or bin with UTF-8.
- For every optional field, nil, empty text (but in `body`), an empty list and an empty map mean "not given".
- Unknown keys are ignored, logged once and counted; over HTTP, `warnings` names them. A key that is one letter away from
  `scheduled_at`, `expires_at`, `send_window`, `cc`, `bcc`, `topic_id`, `unsubscribe_group` or, with the name of a lane, `lane`, while that
  field is absent, is refused.
- An address that appears more than once in `email`, `cc` and `bcc` gets the mail once: `email` takes precedence over `cc`, and `cc`
  over `bcc`.
- An invalid message becomes a dead letter that names the field. Over HTTP the request gets a 422, or a 400 for a time; an invalid
  address among others in `emails` is only left out (`refused`). A whole message may have {megabytes} MB and {elements:,} keys and
  values, including nested ones.
"""
_TIMES = """## Times

RFC 3339 with an offset (`2030-01-01T09:00:00+09:00`, `…Z`), or without one (`2030-01-01 09:00:00`), read in `TIMEZONE`;
MessagePack timestamps work too. The values that languages use for "never" and "not set" (`9999-12-31T23:59:59.9999999Z`,
`0001-01-01T00:00:00Z`) mean not given. Other times before 2000 are refused.

## Send windows

Text, `DAYS FROM-UNTIL ZONE`: days such as `mon-fri` or `sat,sun` (every day without them), times of day, and the time zone, which
may be left out. Or a map: `{"days": ["mon", "tue"], "from": "09:00", "until": "18:00", "timezone": "Europe/Berlin"}`. `until` is
outside, `24:00` is midnight, and `22:00-06:00` runs past midnight and belongs to the day on which it begins. `always` is any time.
The mail's own `timezone` counts first, then the window's, then `TIMEZONE`.
"""


@dataclass(frozen=True)
class _Field:
    name: str
    required: bool
    kind: str
    text: str


def _fields(model: type[BaseModel]) -> list[_Field]:
    (tree,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(tree, ast.ClassDef)
    found = []
    for statement, following in zip(tree.body, tree.body[1:], strict=False):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        name = statement.target.id
        if name not in model.model_fields:
            continue
        assert isinstance(following, ast.Expr), f"{name} has no description"
        assert isinstance(following.value, ast.Constant)
        kind = ast.unparse(statement.annotation).removesuffix(" | None")
        required = model.model_fields[name].is_required()
        found.append(_Field(name, required, _KINDS[kind], str(following.value.value)))
    return found


def _table(examples: dict[str, object], *models: type[BaseModel]) -> str:
    rows = ["| field | type and limit | what it is | example (JSON) |", "|---|---|---|---|"]
    for field in (each for model in models for each in _fields(model)):
        name = f"**`{field.name}`**" if field.required else f"`{field.name}`"
        example = orjson.dumps(examples[field.name]).decode()
        rows.append(f"| {name} | {field.kind} | {field.text} | `{example}` |")
    return "\n".join(rows)


def render() -> str:
    """The whole page. Its examples are decoded first, so that all of them are valid."""
    array = [_EXAMPLES[name] for name in ARRAY_FIELDS]
    whole = orjson.dumps(_EXAMPLES, option=orjson.OPT_INDENT_2)
    short, packed = orjson.dumps(array), msgpack.packb(array)
    assert decode(whole).scheduled_at == datetime(2030, 1, 1, tzinfo=UTC)
    assert decode(short) == decode(packed)
    attachment = _EXAMPLES["attachments"]
    assert isinstance(attachment, list)
    return "\n".join(
        [
            _HEAD.format(megabytes=MAX_BYTES // 2**20, elements=MAX_ELEMENTS),
            "## Fields\n",
            "Fields in bold are required.\n",
            _table(_EXAMPLES, Addressed, Content),
            "\n## Attachments\n",
            _table(attachment[0], Attachment),
            f"\n{_TIMES}",
            "## Whole examples\n",
            f"A map, as JSON:\n\n```json\n{whole.decode()}\n```\n",
            f"The array ({', '.join(f'`{name}`' for name in ARRAY_FIELDS)}, in this order), as JSON:\n",
            f"```json\n{short.decode()}\n```\n",
            f"The same in MessagePack, as hexadecimal digits:\n\n```\n{_lines(packed.hex(' '))}\n```\n",
        ]
    )


def _lines(digits: str) -> str:
    width = 3 * 32
    return "\n".join(digits[start : start + width].rstrip() for start in range(0, len(digits), width))


if __name__ == "__main__":
    PATH.write_text(render())
