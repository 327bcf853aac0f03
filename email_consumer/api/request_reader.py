"""Validates `POST /v1/messages` message by message: 16 MB in one step would block the event loop."""

from typing import Annotated, Any

from pydantic import Field, ValidationError

from email_consumer.api.new_messages import MAX_ELEMENTS, MAX_RECIPIENTS, NewMessage, NewMessages
from email_consumer.message.fields import at_most
from email_consumer.message.keys import Reading
from email_consumer.runtime.breather import Breather
from email_consumer.web.routing import invalid, parse_body


class _Unvalidated(NewMessages):
    messages: Annotated[list[Any], Field(min_length=1), at_most(MAX_RECIPIENTS)]


async def read_request(body: bytes, reading: Reading) -> NewMessages:
    """The messages of a request, validated up to the first invalid one.

    Raises:
        ApiError: as `parse_body`.
    """
    unvalidated = parse_body(body, _Unvalidated, context=reading, max_elements=MAX_ELEMENTS)
    breather = Breather()
    messages = []
    for index, message in enumerate(unvalidated.messages):
        try:
            messages.append(NewMessage.model_validate(message, context=reading))
        except ValidationError as error:
            raise invalid(error, f"messages.{index}") from None
        await breather.breathe()
    return unvalidated.model_copy(update={"messages": messages})
