"""The root path, where SNS and STS speak the query protocol."""

import sqlite3
from collections.abc import Mapping

from aiohttp import web

from ses_sandbox.aws.errors import AwsError
from ses_sandbox.aws.fault_responses import with_fault_responses
from ses_sandbox.aws.query_protocol import Node, xml_answer, xml_error
from ses_sandbox.config import ACCOUNT_ID
from ses_sandbox.faults import after
from ses_sandbox.request_guard import RequestGuard
from ses_sandbox.sns.operations import SnsOperations

_SNS = "http://sns.amazonaws.com/doc/2010-03-31/"
_STS = "https://sts.amazonaws.com/doc/2011-06-15/"
_CALLER = {"Arn": f"arn:aws:iam::{ACCOUNT_ID}:user/sandbox", "UserId": "AIDASANDBOX", "Account": ACCOUNT_ID}


class QueryEndpoint:
    """`POST /` with an `Action`."""

    def __init__(self, request_guard: RequestGuard, sns: SnsOperations) -> None:
        self._request_guard = request_guard
        self._sns = sns

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/", with_fault_responses(self.call))]

    async def call(self, request: web.Request) -> web.Response:
        """Authenticate → scripted faults → act → answer."""
        body = await request.read()
        form = {name: str(value) for name, value in (await request.post()).items()}
        action = form.get("Action", "")
        namespace = _STS if action == "GetCallerIdentity" else _SNS
        try:
            region = self._request_guard.authenticate(request, body, "sts" if namespace is _STS else "sns")
            due_after = await self._request_guard.apply_faults(request, action, {})
            result = await self._act(action, form, region)
            await after(due_after)
            return xml_answer(action, namespace, result)
        except AwsError as error:
            return xml_error(error, namespace)
        except sqlite3.Error as error:
            return xml_error(AwsError("InternalFailure", str(error)), namespace)

    async def _act(self, action: str, form: Mapping[str, str], region: str) -> Mapping[str, Node] | None:
        if action == "GetCallerIdentity":
            return _CALLER
        if (act := self._sns.actions.get(action)) is None:
            raise AwsError("InvalidAction", f"The action {action} is not valid for this web service.", 400)
        try:
            return await act(form, region)
        except KeyError as missing:
            raise AwsError("ValidationError", f"Missing parameter {missing}", 400) from None
