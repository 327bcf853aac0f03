"""Applies the limits of a key to the mail that it submits."""

from email_consumer.api.new_messages import NewMessage, NewMessages
from email_consumer.web.audit import forbidden
from email_consumer.web.grant import Limits


def within_limits(request: NewMessages, limits: Limits, default_sender: str) -> NewMessages:
    """The request, with lane and tenant of the key where it fixes them. `default_sender` sends what names no sender.

    Raises:
        ApiError: 403, the key must not send one of the messages.
    """
    if limits.empty:
        return request
    messages = [
        _within_limits(message, request, limits, default_sender, f"messages.{index}")
        for index, message in enumerate(request.messages)
    ]
    return request.model_copy(update={"messages": messages})


def _within_limits(
    message: NewMessage, request: NewMessages, limits: Limits, default_sender: str, place: str
) -> NewMessage:
    if not limits.allow_topic(message.topic_id):
        raise forbidden(f"{place}.topic_id: this key must not send mail of this topic, or without one.")
    if not limits.allow_sender(message.from_email or default_sender):
        raise forbidden(f"{place}.from_email: this key must not send as this sender.")
    fixed: dict[str, object] = {}
    for name in ("lane", "tenant"):
        own, given = getattr(limits, name), getattr(message, name) or getattr(request, name)
        if own and given and own != given:
            raise forbidden(f"{place}.{name}: this key sends mail of the {name} {own} only.")
        if own:
            fixed[name] = own
    return message.model_copy(update=fixed) if fixed else message
