"""Sender identities and whether they are verified."""

from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from ses_sandbox.aws.errors import AwsError
from ses_sandbox.aws.json_protocol import answer, rest_json
from ses_sandbox.request_guard import RequestGuard
from ses_sandbox.ses.address import bare_address

_SIMULATOR = "simulator.amazonses.com"

DkimStatus = Literal["PENDING", "SUCCESS", "FAILED", "TEMPORARY_FAILURE", "NOT_STARTED"]


class Identity(BaseModel):
    """A domain or an address."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    verified: bool = True
    dkim: DkimStatus = "SUCCESS"


class Identities:
    """Until scripted, every identity exists and is verified; once scripted, only the named ones are."""

    def __init__(self, region: str) -> None:
        """`region` is named in the text of a rejection."""
        self.scripted: dict[str, Identity] | None = None
        self._region = region

    def get(self, name: str) -> Identity:
        """The identity of that name.

        Raises:
            AwsError: NotFoundException, if it does not exist.
        """
        if self.scripted is None:
            return Identity()
        try:
            return self.scripted[name.lower()]
        except KeyError:
            raise AwsError("NotFoundException", f"Email identity {name} does not exist.") from None

    def check_verified(self, addresses: tuple[str, ...]) -> None:
        """Pass if each address, its domain or a parent domain is verified, or it is one of the simulator's.

        Raises:
            AwsError: MessageRejected, naming those that aren't.
        """
        if self.scripted is None:
            return
        failed = [address for address in addresses if not self._is_verified(bare_address(address).lower())]
        if failed:
            raise AwsError(
                "MessageRejected",
                "Email address is not verified. The following identities failed the check in region "
                f"{self._region.upper()}: {', '.join(failed)}",
            )

    def _is_verified(self, address: str) -> bool:
        domain = address.rpartition("@")[2]
        labels = domain.split(".")
        names = [address, *(".".join(labels[start:]) for start in range(len(labels)))]
        known = self.scripted or {}
        return domain == _SIMULATOR or any(name in known and known[name].verified for name in names)


class IdentityOperations:
    """GetEmailIdentity and ListEmailIdentities."""

    def __init__(self, request_guard: RequestGuard, identities: Identities) -> None:
        self._request_guard = request_guard
        self._identities = identities

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v2/email/identities", rest_json(self.list_identities)),
            web.get("/v2/email/identities/{name}", rest_json(self.get_identity)),
        ]

    async def list_identities(self, request: web.Request) -> web.Response:
        """All scripted identities, on one page."""
        await self._request_guard.admit(request, "ListEmailIdentities")
        known = self._identities.scripted or {}
        return answer({"EmailIdentities": [_summary(name, identity) for name, identity in known.items()]})

    async def get_identity(self, request: web.Request) -> web.Response:
        """One identity."""
        await self._request_guard.admit(request, "GetEmailIdentity")
        name = request.match_info["name"]
        identity = self._identities.get(name)
        return answer(
            {
                "IdentityType": _type(name),
                "FeedbackForwardingStatus": True,
                "VerifiedForSendingStatus": identity.verified,
                "VerificationStatus": _status(identity),
                "DkimAttributes": {
                    "SigningEnabled": identity.dkim == "SUCCESS",
                    "Status": identity.dkim,
                    "SigningAttributesOrigin": "AWS_SES",
                },
                "Policies": {},
                "Tags": [],
            }
        )


def _summary(name: str, identity: Identity) -> dict[str, Any]:
    return {
        "IdentityType": _type(name),
        "IdentityName": name,
        "SendingEnabled": identity.verified,
        "VerificationStatus": _status(identity),
    }


def _type(name: str) -> str:
    return "EMAIL_ADDRESS" if "@" in name else "DOMAIN"


def _status(identity: Identity) -> str:
    return "SUCCESS" if identity.verified else "PENDING"
