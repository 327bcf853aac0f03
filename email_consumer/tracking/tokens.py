"""Tokens of open pixels: the signed tag of the mail, so that they can't be forged."""

from itsdangerous import BadSignature

from email_consumer.core.link_secrets import LinkSecrets

_SALT = "open"


class OpenTokens:
    def __init__(self, secrets: LinkSecrets) -> None:
        self._secrets = secrets

    def sign(self, tag: str) -> str:
        """`tag` as `message.uuid_tag` makes it; the token needs no quoting in a URL."""
        return self._secrets.signer(_SALT).sign(tag).decode()

    def read(self, token: str) -> str | None:
        """The tag; None if the signature is invalid, such as the plain numbers of an earlier service."""
        try:
            return self._secrets.signer(_SALT).unsign(token).decode()
        except (BadSignature, UnicodeError):
            return None
