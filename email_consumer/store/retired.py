"""Mail whose uuid stands for another mail now: its row keeps its history under a name that no mail can have."""

RETIRED_NAME = "uuid || char(0) || id"
"""SQL. A message's uuid has no NUL (`message_fields.Key`), so nobody can publish a mail of that name."""


def published_uuid(name: str) -> str:
    """What the mail of this row is called outside."""
    return name.partition("\0")[0]
