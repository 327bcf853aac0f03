"""SendEmail and GetAccount."""

from aiohttp import web

from ses_sandbox.account import Account
from ses_sandbox.aws.json_protocol import answer, rest_json
from ses_sandbox.faults import after
from ses_sandbox.mailbox import Mailbox, accept
from ses_sandbox.request_guard import RequestGuard
from ses_sandbox.ses.configuration_sets import ConfigurationSets
from ses_sandbox.ses.identities import Identities
from ses_sandbox.ses.send_request import parse_send_request
from ses_sandbox.ses.tenants import Tenants


class Sending:
    """SendEmail, and GetAccount, which a sender polls."""

    def __init__(
        self,
        request_guard: RequestGuard,
        *,
        account: Account,
        identities: Identities,
        configuration_sets: ConfigurationSets,
        tenants: Tenants,
        mailbox: Mailbox,
    ) -> None:
        self._tenants = tenants
        self._identities = identities
        self._configuration_sets = configuration_sets
        self._request_guard = request_guard
        self._account = account
        self._mailbox = mailbox

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v2/email/outbound-emails", rest_json(self.send_email)),
            web.get("/v2/email/account", rest_json(self.get_account)),
        ]

    async def send_email(self, request: web.Request) -> web.Response:
        """Authenticate → check → scripted faults → limits → store durably → answer."""
        body = await request.read()
        self._request_guard.authenticate(request, body)
        send = parse_send_request(body)
        attributes = {"to": send.recipients, "subject": (send.subject,), "uuid": (send.uuid or "",)}
        due_after = await self._request_guard.apply_faults(request, "SendEmail", attributes)
        self._tenants.check(send.tenant, send.sender, send.configuration_set)
        self._configuration_sets.check(send.configuration_set)
        self._identities.check_verified((send.sender,))
        if not self._account.production_access:
            self._identities.check_verified(send.recipients)
        self._account.admit(len(send.recipients))
        mail = accept(send)
        await self._mailbox.store(mail)
        await after(due_after)
        return answer({"MessageId": mail.message_id})

    async def get_account(self, request: web.Request) -> web.Response:
        """Limits and status of the account."""
        await self._request_guard.admit(request, "GetAccount")
        return answer(self._account.as_get_account())
