"""SendEmail and GetAccount."""

from aiohttp import web

from email_consumer.sandbox.account import Account
from email_consumer.sandbox.aws.json_protocol import answer, rest_json
from email_consumer.sandbox.aws.signature import SignatureCheck
from email_consumer.sandbox.faults import Faults, after
from email_consumer.sandbox.mailbox import Mailbox, accept
from email_consumer.sandbox.ses.send_request import parse_send_request


class Sending:
    """The two operations a sender calls all the time."""

    def __init__(self, signatures: SignatureCheck, faults: Faults, account: Account, mailbox: Mailbox) -> None:
        """Take the parts of the way a request goes."""
        self._signatures = signatures
        self._faults = faults
        self._account = account
        self._mailbox = mailbox

    def routes(self) -> list[web.RouteDef]:
        """Where SES v2 has them."""
        return [
            web.post("/v2/email/outbound-emails", rest_json(self.send_email)),
            web.get("/v2/email/account", rest_json(self.get_account)),
        ]

    async def send_email(self, request: web.Request) -> web.StreamResponse:
        """Authenticate → check → scripted faults → limits → store durably → answer."""
        body = await request.read()
        self._signatures.verify(request, body, "ses")
        send = parse_send_request(body)
        due_after = None
        if self._faults.scripted:
            facts = {"to": send.recipients, "subject": (send.subject,), "uuid": (send.uuid or "",)}
            due_after = await self._faults.before("SendEmail", facts)
        self._account.admit(len(send.recipients))
        mail = accept(send)
        await self._mailbox.store(mail)
        await after(due_after)
        return answer({"MessageId": mail.message_id})

    async def get_account(self, request: web.Request) -> web.StreamResponse:
        """Limits and standing of the account."""
        self._signatures.verify(request, await request.read(), "ses")
        await after(await self._faults.before("GetAccount", {}))
        return answer(self._account.as_get_account())
