"""What `startproject` needs least, and the e-mail backend in the form of this Django version."""

import os

import django

SECRET_KEY = "tests"
USE_TZ = True
INSTALLED_APPS = ["shop"]
ADMINS = (
    [("Ann", "ann@example.com"), ("Bob", "bob@example.com")]
    if django.VERSION < (6, 0)
    else ["ann@example.com", "bob@example.com"]
)
SERVER_EMAIL = "shop@example.com"
DEFAULT_FROM_EMAIL = "Shop <shop@example.com>"

_BACKEND = "email_consumer_client.django.EmailBackend"
_OPTIONS = {
    "url": os.environ["EMAIL_CONSUMER_URL"],
    "api_key": os.environ["EMAIL_CONSUMER_API_KEY"],
    "defaults": {"lane": "transactional"},
}
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": _BACKEND, "OPTIONS": _OPTIONS}}
else:
    EMAIL_BACKEND = _BACKEND
    EMAIL_CONSUMER = _OPTIONS
