"""Which addresses webhooks may be sent to: public ones, so that nobody reaches our own network through an endpoint's URL.

The address is checked when the connection is made, after the look-up, so it does not matter how the host was written, nor
whether its name meant another address a moment before.
"""

import socket
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from aiohappyeyeballs import AddrInfoType
from yarl import URL

_SHARED_PREFIX = ip_address("64:ff9b::").packed[:12]
"""Of IPv4 addresses as seen through NAT64 (RFC 6052)."""


class ForbiddenDestinationError(OSError):
    """The address is not a public one."""


def check_url(url: str, *, allow_private: bool) -> None:
    """Raise for a URL that can't be an endpoint's.

    Raises:
        ValueError: the text says why.
    """
    if not url.isprintable() or " " in url:  # urlsplit drops line breaks
        raise ValueError("url: must not contain spaces or control characters")
    try:
        URL(url)
    except ValueError as error:
        raise ValueError(f"url: {error}") from None
    parts = urlsplit(url)
    schemes = ("https", "http") if allow_private else ("https",)
    if parts.scheme not in schemes or not parts.hostname:
        raise ValueError(f"url: must be an {' or '.join(schemes)} URL with a host")
    if parts.username or parts.password:
        raise ValueError("url: must not contain a user name or password")
    if parts.fragment:
        raise ValueError("url: must not have a fragment")


def is_public(text: str) -> bool:
    """Whether an IP address may be connected to."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address.packed[:12] == _SHARED_PREFIX:
            inner = ip_address(address.packed[12:])  # type: ignore[assignment]
        if inner is not None:
            return is_public(str(inner))
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def public_socket(info: AddrInfoType) -> socket.socket:
    """A socket for an address that was looked up, as `aiohttp.TCPConnector` takes it.

    Raises:
        ForbiddenDestinationError: it is not public.
    """
    family, kind, protocol, _, address = info
    if not is_public(str(address[0])):
        raise ForbiddenDestinationError("the host has a private, local or reserved address")
    return socket.socket(family, kind, protocol)
