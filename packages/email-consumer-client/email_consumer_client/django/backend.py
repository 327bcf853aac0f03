"""`EMAIL_BACKEND`, or a backend of `MAILERS`, that submits mail to email_consumer over HTTP."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from email_consumer_client.client import Client
from email_consumer_client.django.mapping import EXTRA, as_message, bare_addresses
from email_consumer_client.django.status import AnymailStatus
from email_consumer_client.errors import EmailConsumerError, UnsupportedFeatureError

_log = logging.getLogger(__name__)
_SETTING = "EMAIL_CONSUMER"
_OPTIONS = frozenset({"url", "api_key", "timeout", "defaults"})


class EmailBackend(BaseEmailBackend):  # type: ignore[misc]  # Django has no types
    """Mail is on the installation's disk when it was sent: no worker or queue of Django's is needed."""

    def __init__(
        self,
        *,
        fail_silently: bool = False,
        alias: str | None = None,
        url: str | None = None,
        api_key: str | None = None,
        timeout: float | None = None,
        defaults: Mapping[str, Any] | None = None,
        **others: Any,  # noqa: ANN401 - what Django passes to every backend
    ) -> None:
        """From `OPTIONS` of `MAILERS`, otherwise from the setting `EMAIL_CONSUMER`, a dict with the same names.

        Args:
            fail_silently: errors are not raised; the number of messages sent and their `anymail_status` tell.
            alias: of `MAILERS`.
            url: of the installation, such as `http://localhost:3000`.
            api_key: one of its `API_KEY`s.
            timeout: seconds of one attempt; 30 if not given.
            defaults: for messages that don't say it themselves, such as `{"lane": "transactional"}`.
            others: options of other backends.

        Raises:
            ImproperlyConfigured: an option is missing or unknown.
        """
        # Without an alias Django passes the SMTP backend's options to every backend.
        super().__init__(**{"alias": alias, **others} if alias is not None else {})
        self.fail_silently = fail_silently
        given = {"url": url, "api_key": api_key, "timeout": timeout, "defaults": defaults}
        options = _options(alias) | {name: value for name, value in given.items() if value is not None}
        place = f"MAILERS[{alias!r}]['OPTIONS']" if alias is not None else _SETTING
        for name in ("url", "api_key"):
            if not options.get(name):
                raise ImproperlyConfigured(f"{place} needs {name!r}")
        self._url, self._api_key = str(options["url"]), str(options["api_key"])
        self._timeout = float(options.get("timeout", 30))
        self._defaults: Mapping[str, Any] = options.get("defaults", {})
        if unknown := sorted(self._defaults.keys() - EXTRA):
            raise ImproperlyConfigured(f"{place}['defaults'] has unknown {', '.join(unknown)}")
        self._client: Client | None = None

    def open(self) -> bool:
        """Keep one connection for further messages; whether it is a new one."""
        if self._client is not None:
            return False
        self._client = self._new_client()
        return True

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Submit the messages one by one; the number of those that were accepted.

        As with SMTP, a message is accepted if one of its recipients is; `anymail_status` and a log line name the others.

        Raises:
            EmailConsumerError: of the first message that failed, unless `fail_silently`.
        """
        with self._connected() as client:
            return sum(self._send(client, each) for each in email_messages if each.recipients())

    @contextmanager
    def _connected(self) -> Iterator[Client]:
        """The client that `open` made, or one for the block."""
        if self._client is not None:
            yield self._client
        else:
            with self._new_client() as client:
                yield client

    def _new_client(self) -> Client:
        return Client(self._url, self._api_key, timeout=self._timeout)

    def _send(self, client: Client, email: EmailMessage) -> bool:
        try:
            self._submit(client, email)
        except EmailConsumerError:
            if not self.fail_silently:
                raise
            return False
        return True

    def _submit(self, client: Client, email: EmailMessage) -> None:
        email.anymail_status = AnymailStatus(None, set())
        try:
            message = as_message(email, self._defaults)
        except ValueError as error:
            raise UnsupportedFeatureError(str(error)) from error
        key = (getattr(email, "esp_extra", None) or {}).get("idempotency_key")
        accepted = client.send(message, idempotency_key=key)
        email.anymail_status = AnymailStatus.of(bare_addresses(message), accepted)
        for each in accepted.refused:
            _log.warning("recipient %d of %d refused: %s", each.email + 1, len(accepted.ids), each.error)


def _options(alias: str | None) -> dict[str, Any]:
    """Of the setting; with `MAILERS`, all options come from there."""
    if alias is not None:
        return {}
    options = dict(getattr(settings, _SETTING, {}))
    if unknown := sorted(options.keys() - _OPTIONS):
        raise ImproperlyConfigured(
            f"{_SETTING} has unknown {', '.join(unknown)}; known are {', '.join(sorted(_OPTIONS))}"
        )
    return options
