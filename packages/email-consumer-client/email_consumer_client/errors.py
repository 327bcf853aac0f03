"""Everything that this package raises.

EmailConsumerError
├── UnreachableError         no answer, or none but "try again", after all attempts
│   └── NotAcknowledgedError JetStream did not acknowledge a mail
├── ApiError                 the HTTP API refused a request
│   ├── InvalidRequestError  400, 413, 415, 422: repeating it won't help
│   ├── AccessError          401, 403: the API key
│   └── NotFoundError        404
├── RefusedError             the NATS server refused a mail
├── UnexpectedAnswerError    the answer is not one of this API; is the URL right?
├── UnsupportedFeatureError  a Django message that has no equivalent
└── WebhookError             not a webhook of ours: signature, age or form
"""

from collections.abc import Mapping, Sequence
from typing import Any


class EmailConsumerError(Exception):
    """Base of all errors of this package."""


class UnreachableError(EmailConsumerError):
    """No answer after all attempts. Whether the last one was processed is unknown; repeating the same request is safe."""


class NotAcknowledgedError(UnreachableError):
    """JetStream did not acknowledge a mail; publishing it again with the same `uuid` is safe."""

    def __init__(self, message: str, uuid: str) -> None:
        super().__init__(message)
        self.uuid = uuid


class ApiError(EmailConsumerError):
    """An error of the HTTP API; its text is what the API says."""

    def __init__(self, status: int, code: str, message: str, details: Mapping[str, Any]) -> None:
        """`code` is stable and for programs; `details` is the whole document of the error."""
        super().__init__(f"{message} ({status} {code})" if code else f"{message} ({status})")
        self.status = status
        self.code = code
        self.details = details

    @property
    def fields(self) -> Sequence[str]:
        """The fields that are wrong, with the reason of each."""
        return tuple(self.details.get("fields") or ())


class InvalidRequestError(ApiError):
    """The request is wrong; it fails the same way when it is repeated."""


class AccessError(ApiError):
    """The API key is missing, wrong, or may not do this."""


class NotFoundError(ApiError):
    """There is no such mail or route."""


class RefusedError(EmailConsumerError):
    """The NATS server refused a mail, with its reason: no stream for the subject, too large, stream full."""

    def __init__(self, message: str, uuid: str) -> None:
        super().__init__(message)
        self.uuid = uuid


class UnexpectedAnswerError(EmailConsumerError):
    """What answered is not this API, or a version that this package doesn't know."""


class UnsupportedFeatureError(EmailConsumerError):
    """A Django message has something that can't be expressed; nothing was sent."""


class WebhookError(EmailConsumerError):
    """A request is not a webhook of ours, or too old. Answer it with 400 and don't use its content."""
