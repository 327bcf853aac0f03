"""A configured Django without a project, for tests of the backend alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django
from django.conf import settings
from django.core import mail
from django.test.utils import override_settings

HAS_MAILERS = django.VERSION >= (6, 1)
"""Whether the setting exists."""
_PATH = "email_consumer_client.django.EmailBackend"

settings.configure(TIME_ZONE="Asia/Seoul", USE_TZ=True, DEFAULT_FROM_EMAIL="shop@example.com", ADMINS=[])


@contextmanager
def configured(url: str, /, **options: Any) -> Iterator[None]:
    """Mail goes to `url`, by `MAILERS` where this Django has it."""
    options = {"url": url, "api_key": "key"} | options
    if HAS_MAILERS:
        setting: dict[str, Any] = {"MAILERS": {"default": {"BACKEND": _PATH, "OPTIONS": options}}}
    else:
        setting = {"EMAIL_BACKEND": _PATH, "EMAIL_CONSUMER": options}
    with override_settings(**setting):
        yield


def backend(**options: Any) -> Any:
    """One as Django makes it."""
    if HAS_MAILERS:
        return mail.mailers.default
    return mail.get_connection(**options)
