"""`manage.py send_order ADDRESS`: a mail with everything that a shop's mail has; prints its uuid."""

from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):  # type: ignore[misc]  # Django has no types
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("address")

    def handle(self, address: str, **_: Any) -> None:
        email = EmailMultiAlternatives(
            "Your order 4711",
            "It is on its way.",
            to=[address],
            cc=["archive@example.com"],
            reply_to=["help@example.com"],
            headers={"X-Order": "4711"},
        )
        email.attach_alternative("<p>It is on its way.</p>", "text/html")
        email.attach("invoice.txt", "1 €", "text/plain")
        email.metadata = {"order": "4711"}
        email.esp_extra = {"topic_id": "orders", "idempotency_key": "order-4711"}
        email.send()
        self.stdout.write(email.anymail_status.message_id)
