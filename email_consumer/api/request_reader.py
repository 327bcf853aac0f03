"""Reads the body of `POST /v1/messages` one message after another: sixteen megabytes in one step would stop everything."""

from typing import Annotated, Any

from pydantic import Field, ValidationError

from email_consumer.api.new_messages import MAX_ELEMENTS, MAX_RECIPIENTS, NewMessage, NewMessages
from email_consumer.message.fields import at_most
from email_consumer.message.keys import Reading
from email_consumer.runtime.breather import Breather
from email_consumer.web.routing import invalid, parse_body


class _Unread(NewMessages):
    messages: Annotated[list[Any], Field(min_length=1), at_most(MAX_RECIPIENTS)]


async def read_request(body: bytes, reading: Reading) -> NewMessages:
    """The messages of a request; at the first one that is wrong it stops.

    Raises:
        ApiError: as `parse_body`.
    """
    unread = parse_body(body, _Unread, context=reading, max_elements=MAX_ELEMENTS)
    breather = Breather()
    messages = []
    for index, message in enumerate(unread.messages):
        try:
            messages.append(NewMessage.model_validate(message, context=reading))
        except ValidationError as error:
            raise invalid(error, f"messages.{index}") from None
        await breather.breathe()
    return NewMessages.model_construct(messages=messages, scheduled_at=unread.scheduled_at)
