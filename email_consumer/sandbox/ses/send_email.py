"""SendEmail and GetAccount."""

from aiohttp import web

from email_consumer.sandbox.account import Account
from email_consumer.sandbox.aws.json_protocol import answer, rest_json
from email_consumer.sandbox.faults import after
from email_consumer.sandbox.front_door import FrontDoor
from email_consumer.sandbox.mailbox import Mailbox, accept
from email_consumer.sandbox.ses.configuration_sets import ConfigurationSets
from email_consumer.sandbox.ses.identities import Identities
from email_consumer.sandbox.ses.send_request import parse_send_request


class Sending:
    """The two operations a sender calls all the time."""

    def __init__(
        self,
        front_door: FrontDoor,
        account: Account,
        identities: Identities,
        configuration_sets: ConfigurationSets,
        mailbox: Mailbox,
    ) -> None:
        """Take the parts of the way a request goes."""
        self._identities = identities
        self._configuration_sets = configuration_sets
        self._front_door = front_door
        self._account = account
        self._mailbox = mailbox

    def routes(self) -> list[web.RouteDef]:
        """Where SES v2 has them."""
        return [
            web.post("/v2/email/outbound-emails", rest_json(self.send_email)),
            web.get("/v2/email/account", rest_json(self.get_account)),
        ]

    async def send_email(self, request: web.Request) -> web.Response:
        """Authenticate → check → scripted faults → limits → store durably → answer."""
        body = await request.read()
        self._front_door.authenticate(request, body)
        send = parse_send_request(body)
        facts = {"to": send.recipients, "subject": (send.subject,), "uuid": (send.uuid or "",)}
        due_after = await self._front_door.strike(request, "SendEmail", facts)
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
        """Limits and standing of the account."""
        await self._front_door.enter(request, "GetAccount")
        return answer(self._account.as_get_account())
