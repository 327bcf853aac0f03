"""An e-mail backend for Django; needs the extra `django`."""

from email_consumer_client.django.backend import EmailBackend
from email_consumer_client.django.status import AnymailStatus, RecipientStatus

__all__ = ["AnymailStatus", "EmailBackend", "RecipientStatus"]
