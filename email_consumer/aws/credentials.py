"""The standard credential chain of AWS."""

from typing import Any

import aioboto3
from botocore.exceptions import BotoCoreError

from email_consumer.runtime.errors import OperatorError


class MissingCredentialsError(OperatorError):
    """The standard credential chain holds no AWS credentials."""

    def __init__(self) -> None:
        super().__init__(
            "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run with an IAM role"
            " (`email-consumer run --local` needs none)"
        )


async def find_credentials(session: aioboto3.Session) -> Any:  # noqa: ANN401 - aioboto3 is untyped
    """Walk through the standard credential chain.

    Raises:
        MissingCredentialsError: no credentials were found.
    """
    try:
        credentials = await session.get_credentials()
    except BotoCoreError as error:
        raise MissingCredentialsError from error
    if credentials is None:
        raise MissingCredentialsError
    return credentials
