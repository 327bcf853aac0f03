"""SendEmail inputs for tests."""

from typing import Any


def simple_mail(uuid: str = "u-1", to: str | list[str] = "ann@example.com", **changes: Any) -> dict[str, Any]:
    """A mail as the daemon sends it: tagged and with its X-Request-ID."""
    return {
        "FromEmailAddress": "Shop <no-reply@example.com>",
        "Destination": {"ToAddresses": [to] if isinstance(to, str) else to},
        "Content": {
            "Simple": {
                "Subject": {"Data": "Grüße", "Charset": "UTF-8"},
                "Body": {"Html": {"Data": "<p>Hällo</p>", "Charset": "UTF-8"}},
                "Headers": [{"Name": "X-Request-ID", "Value": uuid}],
            }
        },
        "EmailTags": [{"Name": "uuid", "Value": uuid}, {"Name": "instance", "Value": "test"}],
    } | changes
