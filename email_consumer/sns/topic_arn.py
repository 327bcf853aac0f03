"""ARNs of SNS topics."""

import re
from dataclasses import dataclass
from typing import Self

SANDBOX_ACCOUNT = "000000000000"
"""The account of the sandbox's topics; AWS has no account with this number."""

_ARN = re.compile(r"arn:(aws[a-z-]*):sns:([a-z]{2}(?:-[a-z]+)+-\d{1,2}):(\d{12}):([A-Za-z0-9_-]{1,256})")


@dataclass(frozen=True, slots=True)
class TopicArn:
    """Such as `arn:aws:sns:eu-west-1:123456789012:ses-events`."""

    partition: str
    region: str
    account: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse it.

        Raises:
            ValueError: not the ARN of an SNS standard topic.
        """
        match = _ARN.fullmatch(text)
        if match is None:
            raise ValueError("is not the ARN of an SNS topic, such as arn:aws:sns:eu-west-1:123456789012:ses-events")
        return cls(*match.groups())

    @property
    def host(self) -> str:
        """The SNS host of the topic's region, which also serves its certificates."""
        return f"sns.{self.region}.amazonaws.com" + (".cn" if self.partition == "aws-cn" else "")
