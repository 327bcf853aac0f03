"""What every AWS operation passes first: the signature check and the scripted faults."""

from collections.abc import Mapping

from aiohttp import web

from ses_sandbox.aws.signature import SignatureCheck
from ses_sandbox.faults import AfterAcceptance, Faults, after
from ses_sandbox.response_changes import changes_of


class RequestGuard:
    """Lets a request in, or raises what it ends in."""

    def __init__(self, signatures: SignatureCheck, faults: Faults) -> None:
        """Take both."""
        self._signatures = signatures
        self._faults = faults

    def authenticate(self, request: web.Request, body: bytes, service: str = "ses") -> str:
        """Return the region the request is signed for; see `SignatureCheck.verify`."""
        return self._signatures.verify(request, body, service)

    async def strike(
        self, request: web.Request, operation: str, facts: Mapping[str, tuple[str, ...]]
    ) -> AfterAcceptance | None:
        """Do what is scripted for the request; see `Faults.before`."""
        if not self._faults.scripted:
            return None
        return await self._faults.before(operation, facts, changes_of(request).append)

    async def enter(self, request: web.Request, operation: str) -> bytes:
        """Authenticate a request of SES that only asks; return its body."""
        body = await request.read()
        self.authenticate(request, body)
        await after(await self.strike(request, operation, {}))
        return body
