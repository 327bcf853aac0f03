"""Unsubscribe links (RFC 8058). The token is the signed address and group, so a link is valid as long as its secret."""

import hashlib
import re
from dataclasses import dataclass

from itsdangerous import BadSignature, URLSafeSerializer

from email_consumer.core.link_secrets import LinkSecrets
from email_consumer.message.address import normal_form
from email_consumer.message.model import EmailMessage

PATH = "/v1/unsubscribe/"
_NAME = "unsubscribe_url"
_PLACEHOLDER = re.compile(r"\{\{ *" + _NAME + r" *\}\}")


@dataclass(frozen=True, slots=True)
class LinkTarget:
    """What an unsubscribe link is about."""

    address: str
    """In normal form."""
    group: str | None = None
    """None is all bulk mail, as in links of earlier versions."""


class Unsubscribe:
    """Creates and reads the links."""

    def __init__(self, server_url: str, secrets: LinkSecrets) -> None:
        """`server_url` is our public URL; only https gets the one-click header (see `ses.request`)."""
        self._prefix = server_url.rstrip("/") + PATH
        self._secrets = secrets

    def compose(self, message: EmailMessage) -> EmailMessage:
        """Put the link where a mail wants it: its header, and each placeholder. Other mail is unchanged."""
        if message.list_unsubscribe is not True and _NAME not in message.body and _NAME not in (message.text or ""):
            return message
        texts = {"body": message.body, "text": message.text or ""}
        wanted = [name for name, text in texts.items() if _PLACEHOLDER.search(text)]
        if message.list_unsubscribe is not True and not wanted:
            return message
        link = self.link(LinkTarget(normal_form(message.email), message.unsubscribe_group))
        changed: dict[str, object] = {name: _PLACEHOLDER.sub(link, texts[name]) for name in wanted}
        if message.list_unsubscribe is True:
            changed["list_unsubscribe"] = f"<{link}>"
        return message.model_copy(update=changed)

    def link(self, target: LinkTarget) -> str:
        """The URL that unsubscribes."""
        # A bare address is what earlier versions read and write.
        value = target.address if target.group is None else [target.address, target.group]
        return self._prefix + str(self._serializer().dumps(value))

    def target(self, token: str) -> LinkTarget | None:
        """What a token was made for; None if its signature is invalid."""
        try:
            value = self._serializer().loads(token)
        except BadSignature:
            return None
        match value:
            case str(address):
                return LinkTarget(address)
            case [str(address), str(group)]:
                return LinkTarget(address, group)
        return None

    def _serializer(self) -> URLSafeSerializer:
        return URLSafeSerializer(
            self._secrets.oldest_first, salt="unsubscribe", signer_kwargs={"digest_method": hashlib.sha256}
        )
