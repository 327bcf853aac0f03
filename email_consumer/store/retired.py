"""Mail whose uuid has begun another life: its row keeps its history under a name that no mail can have."""

RETIRED_NAME = "uuid || char(0) || id"
"""SQL. A message's uuid has no NUL (`message_fields.Key`), so nobody can publish a mail of that name."""
