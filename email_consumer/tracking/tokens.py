"""What an open pixel's address carries: the mail's tag, signed, so that nobody can make one up."""

import hashlib

from itsdangerous import BadSignature, Signer


class OpenTokens:
    def __init__(self, secret: str) -> None:
        """`secret` is random and must stay the same: mail lies in inboxes for years."""
        self._signer = Signer(secret, salt="open", digest_method=hashlib.sha256)

    def sign(self, tag: str) -> str:
        """`tag` as `message.uuid_tag` makes it; what is made of it needs no quoting in a URL."""
        return self._signer.sign(tag).decode()

    def read(self, token: str) -> str | None:
        """The tag; None if we did not sign it, as the plain numbers that an earlier service used."""
        try:
            return self._signer.unsign(token).decode()
        except (BadSignature, UnicodeError):
            return None
