"""What signs the links in mail: open pixels and unsubscribe links.

Mail lies in inboxes for years, so what an older secret signed is accepted for as long as that secret is kept.
"""

import hashlib
from secrets import token_hex

from itsdangerous import Signer


def new_secret() -> str:
    """Random enough to sign with."""
    return token_hex(16)


class LinkSecrets:
    """One for all who sign or read links in a process: `replace` takes effect for every one of them."""

    def __init__(self, *kept: str) -> None:
        """`kept`: newest first."""
        self._signers: dict[str, Signer] = {}
        self._kept = kept

    @property
    def kept(self) -> tuple[str, ...]:
        """Newest first; empty as long as none is known."""
        return self._kept

    def replace(self, kept: tuple[str, ...]) -> None:
        """Sign with the first of these, accept what any of them signed."""
        self._kept = kept
        self._signers.clear()

    @property
    def oldest_first(self) -> list[str]:
        """As itsdangerous wants them: it signs with the last."""
        return list(reversed(self._kept))

    def signer(self, salt: str) -> Signer:
        """Of one kind of link, as of now: ask again for each link."""
        if salt not in self._signers:
            self._signers[salt] = Signer(self.oldest_first, salt=salt, digest_method=hashlib.sha256)
        return self._signers[salt]
