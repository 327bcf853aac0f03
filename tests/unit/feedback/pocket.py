"""Where certificates are kept in place of a file."""

from cryptography import x509


class Pocket:
    def __init__(self) -> None:
        self._kept: dict[str, x509.Certificate] = {}

    async def load(self) -> dict[str, x509.Certificate]:
        return dict(self._kept)

    async def keep(self, url: str, certificate: x509.Certificate) -> None:
        self._kept[url] = certificate
