"""What every peer asks SES for."""

from typing import Any

SENDER = "no-reply@example.com"


def send_email(mail: dict[str, str]) -> dict[str, Any]:
    """The arguments of boto's `send_email`, with the uuid as a tag so that events can be distinguished."""
    return {
        "FromEmailAddress": SENDER,
        "Destination": {"ToAddresses": [mail["email"]]},
        "Content": {
            "Simple": {
                "Subject": {"Data": mail["subject"], "Charset": "UTF-8"},
                "Body": {"Html": {"Data": mail["body"], "Charset": "UTF-8"}},
            }
        },
        "EmailTags": [{"Name": "uuid", "Value": mail["uuid"]}],
    }
