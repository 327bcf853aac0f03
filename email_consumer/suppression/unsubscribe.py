"""One-click unsubscribe links (RFC 8058). The signed token is the address itself, so a link works while its secret is kept."""

import hashlib

from itsdangerous import BadSignature, URLSafeSerializer

from email_consumer.core.link_secrets import LinkSecrets
from email_consumer.message.address import normal_form
from email_consumer.message.model import EmailMessage

PATH = "/v1/unsubscribe/"


class Unsubscribe:
    """Makes the links and reads them again."""

    def __init__(self, server_url: str, secrets: LinkSecrets) -> None:
        """`server_url` is our public address; only an https one gets the one-click header (see `ses.request`)."""
        self._prefix = server_url.rstrip("/") + PATH
        self._secrets = secrets

    def compose(self, message: EmailMessage) -> EmailMessage:
        """A `list_unsubscribe` of True becomes the text of its link; any other mail stays as it is."""
        if message.list_unsubscribe is not True:
            return message
        address = normal_form(message.email)
        return message.model_copy(update={"list_unsubscribe": f"<{self.link(address)}>"})

    def link(self, address: str) -> str:
        """The URL that unsubscribes the address (in normal form)."""
        return self._prefix + str(self._serializer().dumps(address))

    def address(self, token: str) -> str | None:
        """Whom the token of a link unsubscribes; None if it is none of ours."""
        try:
            address = self._serializer().loads(token)
        except BadSignature:
            return None
        return address if isinstance(address, str) else None

    def _serializer(self) -> URLSafeSerializer:
        return URLSafeSerializer(
            self._secrets.oldest_first, salt="unsubscribe", signer_kwargs={"digest_method": hashlib.sha256}
        )
