"""The secrets that sign the links in mail: open pixels and unsubscribe links.

Mail stays in inboxes for years, so links signed with an older secret are accepted for as long as that secret is kept.
"""

import hashlib
from secrets import token_hex

from itsdangerous import Signer


def new_secret() -> str:
    """A new random secret."""
    return token_hex(16)


class LinkSecrets:
    """Shared by everything in a process that signs or verifies links: `replace` takes effect everywhere."""

    def __init__(self, *kept: str) -> None:
        """`kept`: newest first."""
        self._signers: dict[str, Signer] = {}
        self._kept = kept

    @property
    def kept(self) -> tuple[str, ...]:
        """Newest first; empty while none is known."""
        return self._kept

    def replace(self, kept: tuple[str, ...]) -> None:
        """Sign with the first of these, accept what any of them signed."""
        self._kept = kept
        self._signers.clear()

    @property
    def oldest_first(self) -> list[str]:
        """The order itsdangerous expects: it signs with the last one."""
        return list(reversed(self._kept))

    def signer(self, salt: str) -> Signer:
        """The signer for one kind of link. Ask for it per link, since the secrets may be replaced."""
        if salt not in self._signers:
            self._signers[salt] = Signer(self.oldest_first, salt=salt, digest_method=hashlib.sha256)
        return self._signers[salt]
