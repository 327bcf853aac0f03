"""One-click unsubscribe links (RFC 8058). The token is the signed address, so a link is valid as long as its secret."""

import hashlib

from itsdangerous import BadSignature, URLSafeSerializer

from email_consumer.core.link_secrets import LinkSecrets
from email_consumer.message.address import normal_form
from email_consumer.message.model import EmailMessage

PATH = "/v1/unsubscribe/"


class Unsubscribe:
    """Creates and reads the links."""

    def __init__(self, server_url: str, secrets: LinkSecrets) -> None:
        """`server_url` is our public URL; only https gets the one-click header (see `ses.request`)."""
        self._prefix = server_url.rstrip("/") + PATH
        self._secrets = secrets

    def compose(self, message: EmailMessage) -> EmailMessage:
        """Replace a `list_unsubscribe` of True by its link; other mail is unchanged."""
        if message.list_unsubscribe is not True:
            return message
        address = normal_form(message.email)
        return message.model_copy(update={"list_unsubscribe": f"<{self.link(address)}>"})

    def link(self, address: str) -> str:
        """The unsubscribe URL of an address (in normal form)."""
        return self._prefix + str(self._serializer().dumps(address))

    def address(self, token: str) -> str | None:
        """The address in a token; None if its signature is invalid."""
        try:
            address = self._serializer().loads(token)
        except BadSignature:
            return None
        return address if isinstance(address, str) else None

    def _serializer(self) -> URLSafeSerializer:
        return URLSafeSerializer(
            self._secrets.oldest_first, salt="unsubscribe", signer_kwargs={"digest_method": hashlib.sha256}
        )
