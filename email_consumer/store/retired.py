"""Rows whose uuid was reused for another mail: they keep their history under a name that no mail can have."""

RETIRED_NAME = "uuid || char(0) || id"
"""SQL. A message's uuid has no NUL (`message_fields.Key`), so no mail with that name can be published."""


def published_uuid(name: str) -> str:
    """The uuid under which the mail was published."""
    return name.partition("\0")[0]
