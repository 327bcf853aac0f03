"""What every AWS operation goes through first: the signature check and the injected faults."""

from collections.abc import Mapping

from aiohttp import web

from ses_sandbox.aws.signature import SignatureCheck
from ses_sandbox.faults import AfterAcceptance, Faults, after
from ses_sandbox.response_changes import changes_of


class RequestGuard:
    """Admits a request, or raises the error or fault it ends in."""

    def __init__(self, signatures: SignatureCheck, faults: Faults) -> None:
        self._signatures = signatures
        self._faults = faults

    def authenticate(self, request: web.Request, body: bytes, service: str = "ses") -> str:
        """Return the region the request is signed for; see `SignatureCheck.verify`."""
        return self._signatures.verify(request, body, service)

    async def apply_faults(
        self, request: web.Request, operation: str, attributes: Mapping[str, tuple[str, ...]]
    ) -> AfterAcceptance | None:
        """Apply the faults scripted for the request; see `Faults.before`."""
        if not self._faults.scripted:
            return None
        return await self._faults.before(operation, attributes, changes_of(request).append)

    async def admit(self, request: web.Request, operation: str) -> bytes:
        """Authenticate a read-only SES request and apply its faults; return its body."""
        body = await request.read()
        self.authenticate(request, body)
        await after(await self.apply_faults(request, operation, {}))
        return body
