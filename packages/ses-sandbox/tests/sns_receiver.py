"""An HTTP endpoint that SNS posts to, for tests; it checks signatures with code of its own."""

import asyncio
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import orjson
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

_PATIENCE = 200
"""Seconds; only a test that fails anyway waits that long."""


class Receiver:
    """`async with Receiver() as receiver:` listens until the block ends.

    Every post is recorded and answered with the next of `statuses`, 200 when there are none left; while `open` is
    cleared, it is not answered.
    """

    def __init__(self) -> None:
        self.posts: list[tuple[Mapping[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.open = asyncio.Event()
        self.open.set()
        self._arrived = asyncio.Condition()

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_post("/sns", self._receive)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/sns"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        self.posts.append((request.headers, await request.read()))
        async with self._arrived:
            self._arrived.notify_all()
        await self.open.wait()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    async def wait_for(self, count: int) -> list[dict[str, Any]]:
        """The envelopes, once so many have been posted."""
        async with asyncio.timeout(_PATIENCE), self._arrived:
            await self._arrived.wait_for(lambda: len(self.posts) >= count)
        return self.envelopes()

    def envelopes(self) -> list[dict[str, Any]]:
        """All envelopes posted so far."""
        return [orjson.loads(body) for _, body in self.posts]

    def events(self) -> list[dict[str, Any]]:
        """The SES events in the notifications posted so far."""
        return [orjson.loads(each["Message"]) for each in self.envelopes() if each["Type"] == "Notification"]


def verify(envelope: Mapping[str, str], certificate: Path) -> None:
    """Raise `InvalidSignature` unless the envelope was signed with the certificate's key."""
    extra = ("Subject",) if envelope["Type"] == "Notification" else ("SubscribeURL", "Token")
    names = sorted({"Message", "MessageId", "Timestamp", "TopicArn", "Type", *extra} & envelope.keys())
    signed = "".join(f"{name}\n{envelope[name]}\n" for name in names)
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    assert isinstance(key, RSAPublicKey)
    digest = {"1": hashes.SHA1(), "2": hashes.SHA256()}[envelope["SignatureVersion"]]  # noqa: S303
    key.verify(b64decode(envelope["Signature"]), signed.encode(), PKCS1v15(), digest)
