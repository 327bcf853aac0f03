"""The sender: the address, its domain or a parent domain is verified in SES, and mail is signed with DKIM."""

from typing import Any

from email_consumer.aws.control_plane import ControlPlane
from email_consumer.aws.errors import AwsError
from email_consumer.doctor.finding import Finding, error, ok, skipped, warning
from email_consumer.message.address import Address


async def check_identity(aws: ControlPlane, sender: Address, *, stand_in: bool) -> list[Finding]:
    """What SES knows of FROM_EMAIL; a stand-in for SES may know what SES never would."""
    if "." not in sender.domain and not stand_in:
        text = f"FROM_EMAIL is {sender.addr_spec}, which SES can't send from."
        return [error("ses.identity", text, "Set FROM_EMAIL to an address of a domain that SES has verified.")]
    known: dict[str, dict[str, Any]] = {}
    try:
        for name in _names(sender):
            try:
                known[name] = await aws.ses("get_email_identity", EmailIdentity=name)
            except AwsError as failure:
                if not failure.absent:
                    raise
                continue
            if known[name].get("VerifiedForSendingStatus"):
                return [ok("ses.identity", f"SES has verified {name}."), _dkim(name, known[name])]
    except AwsError as failure:
        finding = skipped if failure.forbidden else error
        return [finding("ses.identity", str(failure), failure.fix)]
    if known:
        name = next(iter(known))
        return [error("ses.identity", f"SES knows {name}, but has not verified it yet.", _prove(name))]
    text = f"SES knows neither {sender.domain} nor {sender.addr_spec}: it refuses mail from there."
    return [
        error("ses.identity", text, f"{_create(sender.domain)} Check AWS_REGION too: identities are a region's own.")
    ]


def _names(sender: Address) -> list[str]:
    """The identities that would do, the usual one first; a top-level domain is nobody's."""
    labels = sender.domain.split(".")
    parents = [".".join(labels[start:]) for start in range(1, len(labels) - 1)]
    return [sender.domain, *parents, sender.addr_spec]


def _dkim(name: str, identity: dict[str, Any]) -> Finding:
    attributes = identity.get("DkimAttributes", {})
    status = attributes.get("Status", "NOT_STARTED")
    if status == "SUCCESS" and attributes.get("SigningEnabled"):
        return ok("ses.dkim", f"Mail from {name} is signed with DKIM.")
    if status == "SUCCESS":
        text = f"DKIM is set up for {name}, but switched off."
        switch = f"`aws sesv2 put-email-identity-dkim-attributes --email-identity {name} --signing-enabled`"
        return warning("ses.dkim", text, switch)
    text = f"Mail from {name} is not signed with DKIM (its status is {status}): much of it will be taken for spam."
    return warning("ses.dkim", text, _create(name.rpartition("@")[2]) if "@" in name else _prove(name))


def _create(domain: str) -> str:
    return (
        f"`email-consumer aws apply --domain {domain}` creates it and prints the records for the DNS (by hand: `aws sesv2"
        f" create-email-identity --email-identity {domain}`)."
    )


def _prove(name: str) -> str:
    if "@" in name:
        return "Click the link in the mail that AWS sent there."
    return (
        f"Add the three CNAME records to the DNS of {name} that `aws sesv2 get-email-identity --email-identity {name}` "
        "names, and `email-consumer aws apply` prints; SES then looks within hours."
    )
