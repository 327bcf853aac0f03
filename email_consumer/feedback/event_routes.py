"""Where SNS posts SES's events."""

from http import HTTPStatus

from aiohttp import web
from pydantic import ConfigDict

from email_consumer.feedback.receiver import EventReceiver
from email_consumer.sns.envelope import MAX_BODY
from email_consumer.sns.errors import MessageRefusedError
from email_consumer.web.routing import ApiError, ApiModel, operation, read_bytes

_ERRORS = (403, 429)


class SnsMessage(ApiModel):
    """What SNS posts: JSON, although the Content-Type is text/plain. Parsed by `sns.envelope` after its size was checked.

    https://docs.aws.amazon.com/sns/latest/dg/http-notification-json.html
    """

    model_config = ConfigDict(alias_generator=None, extra="allow")

    Type: str
    MessageId: str
    TopicArn: str
    Message: str
    Timestamp: str
    SignatureVersion: str
    Signature: str
    SigningCertURL: str


class EventRoutes:
    """Open to all: messages are authenticated by their signature."""

    def __init__(self, receiver: EventReceiver) -> None:
        self._receiver = receiver

    def routes(self) -> list[web.RouteDef]:
        """The documented path, and that of an earlier service."""
        return [web.post("/v1/events/results", self.receive), web.post("/v1/events/result", self.receive)]

    @operation(
        "Receive SES events, signed by Amazon SNS",
        body=SnsMessage,
        headers={"x-amz-sns-message-type": "The SNS message type: a notification, or a change of the subscription"},
        errors=_ERRORS,
        open_to_all=True,
    )
    async def receive(self, request: web.Request) -> web.Response:
        headers = request.headers
        raw = headers.get("x-amz-sns-rawdelivery", "").lower() == "true"
        try:
            body = await read_bytes(request, at_most=MAX_BODY)
        except ApiError as error:
            if error.status == HTTPStatus.REQUEST_TIMEOUT:  # SNS gives up for good after a 4xx, and we may just be busy
                error = ApiError(503, error.code, str(error), headers={"Retry-After": "1"})
            cause = "size" if error.code == "too_large" else error.code
            self._receiver.refusals.record(MessageRefusedError(cause, str(error), error.status))
            raise error from None
        try:
            await self._receiver.handle(body, headers.get("x-amz-sns-message-type"), raw_header=raw)
        except MessageRefusedError as refusal:
            # The sender gets no details: the reason is in the log, for the operator.
            code = refusal.cause.replace(" ", "_")
            raise ApiError(refusal.status, code, "Refused; see the server log.") from refusal
        return web.json_response({})
