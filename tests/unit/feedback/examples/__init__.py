"""The complete examples of AWS's documentation, one JSON file each.

`event_*`: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html (Subscription:
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-firehose-examples.html).
`notification_*`: https://docs.aws.amazon.com/ses/latest/dg/notification-examples.html
"""

from pathlib import Path

NAMES = sorted(path.stem for path in Path(__file__).parent.glob("*.json"))


def example(name: str) -> str:
    return (Path(__file__).parent / f"{name}.json").read_text()
