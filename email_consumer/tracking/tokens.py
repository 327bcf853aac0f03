"""What an open pixel's address carries: the mail's tag, signed, so that nobody can make one up."""

from itsdangerous import BadSignature

from email_consumer.core.link_secrets import LinkSecrets

_SALT = "open"


class OpenTokens:
    def __init__(self, secrets: LinkSecrets) -> None:
        self._secrets = secrets

    def sign(self, tag: str) -> str:
        """`tag` as `message.uuid_tag` makes it; what is made of it needs no quoting in a URL."""
        return self._secrets.signer(_SALT).sign(tag).decode()

    def read(self, token: str) -> str | None:
        """The tag; None if we did not sign it, as the plain numbers that an earlier service used."""
        try:
            return self._secrets.signer(_SALT).unsign(token).decode()
        except (BadSignature, UnicodeError):
            return None
