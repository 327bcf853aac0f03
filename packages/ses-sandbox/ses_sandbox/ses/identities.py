"""Sender identities and whether they are verified."""

from hashlib import sha256
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from ses_sandbox.aws.errors import AwsError
from ses_sandbox.aws.json_protocol import answer, read_document, read_tags, rest_json, tag_list
from ses_sandbox.request_guard import RequestGuard
from ses_sandbox.ses.address import bare_address

_SIMULATOR = "simulator.amazonses.com"

DkimStatus = Literal["PENDING", "SUCCESS", "FAILED", "TEMPORARY_FAILURE", "NOT_STARTED"]


class Identity(BaseModel):
    """A domain or an address."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    verified: bool = True
    dkim: DkimStatus = "SUCCESS"
    mail_from: str | None = None
    signing_zone: str = "dkim.amazonses.com"
    """Where its DKIM keys are; another one in some regions."""
    tags: dict[str, str] = Field(default={})


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

    def create(self, name: str, tags: dict[str, str]) -> None:
        """Add one, whose owner still has to prove that it is theirs.

        Raises:
            AwsError: AlreadyExistsException; while unscripted, every identity exists.
        """
        if self.scripted is None or name.lower() in self.scripted:
            raise AwsError("AlreadyExistsException", f"Email identity {name} already exist.")
        self.put(name, Identity(verified=False, dkim="PENDING", tags=tags))

    def put(self, name: str, identity: Identity) -> None:
        """Add one, or replace it; while unscripted, all others cease to exist."""
        self.scripted = (self.scripted or {}) | {name.lower(): identity}

    def delete(self, name: str) -> None:
        """Remove one.

        Raises:
            AwsError: NotFoundException, if it does not exist.
        """
        self.get(name)
        self.scripted = {key: value for key, value in (self.scripted or {}).items() if key != name.lower()}

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
    """Create-, Get-, List- and DeleteEmailIdentity, and the domain of MAIL FROM."""

    def __init__(self, request_guard: RequestGuard, identities: Identities) -> None:
        self._request_guard = request_guard
        self._identities = identities

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v2/email/identities", rest_json(self.create_identity)),
            web.get("/v2/email/identities", rest_json(self.list_identities)),
            web.post("/v2/email/list-identities", rest_json(self.list_identities)),  # by newer clients
            web.get("/v2/email/identities/{name}", rest_json(self.get_identity)),
            web.put("/v2/email/identities/{name}/mail-from", rest_json(self.put_mail_from)),
            web.delete("/v2/email/identities/{name}", rest_json(self.delete_identity)),
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
        return answer({"IdentityType": _type(name), **_document(name, identity)})

    async def create_identity(self, request: web.Request) -> web.Response:
        """A new identity, to be verified."""
        document = read_document(await self._request_guard.admit(request, "CreateEmailIdentity"))
        name = document["EmailIdentity"]
        self._identities.create(name, read_tags(document))
        shown = _document(name, self._identities.get(name))
        wanted = ("VerifiedForSendingStatus", "DkimAttributes")
        return answer({"IdentityType": _type(name), **{key: shown[key] for key in wanted}})

    async def put_mail_from(self, request: web.Request) -> web.Response:
        """The domain of MAIL FROM; without one it is taken away."""
        document = read_document(await self._request_guard.admit(request, "PutEmailIdentityMailFromAttributes"))
        name = request.match_info["name"]
        domain = document.get("MailFromDomain") or None
        self._identities.put(name, self._identities.get(name).model_copy(update={"mail_from": domain}))
        return answer({})

    async def delete_identity(self, request: web.Request) -> web.Response:
        """One identity less."""
        await self._request_guard.admit(request, "DeleteEmailIdentity")
        self._identities.delete(request.match_info["name"])
        return answer({})


def _document(name: str, identity: Identity) -> dict[str, Any]:
    document = {
        "FeedbackForwardingStatus": True,
        "VerifiedForSendingStatus": identity.verified,
        "VerificationStatus": _status(identity),
        "DkimAttributes": {
            "SigningEnabled": identity.dkim in {"SUCCESS", "PENDING"},
            "Status": identity.dkim,
            "SigningAttributesOrigin": "AWS_SES",
            "SigningHostedZone": identity.signing_zone,
            "Tokens": [] if "@" in name else _tokens(name),
        },
        "Policies": {},
        "Tags": tag_list(identity.tags),
    }
    if identity.mail_from:
        status = "SUCCESS" if identity.verified else "PENDING"
        document["MailFromAttributes"] = {
            "MailFromDomain": identity.mail_from,
            "MailFromDomainStatus": status,
            "BehaviorOnMxFailure": "USE_DEFAULT_VALUE",
        }
    return document


def _tokens(name: str) -> list[str]:
    """Three that are always the same for a name."""
    return [sha256(f"{number}.{name.lower()}".encode()).hexdigest()[:32] for number in range(3)]


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
