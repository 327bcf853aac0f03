"""One mail through the whole loop: stream, daemon, SES, the bounce's way back, the suppression list, and off it again."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote
from uuid import uuid4

import aiohttp
from nats.js.api import Header

from email_consumer.doctor.finding import Finding, Severity, error, ok
from email_consumer.jetstream.connection import NatsEndpoint, connect
from email_consumer.jetstream.connection_errors import NatsConnectError
from email_consumer.jetstream.publisher import LostAckError, Publisher, RefusedError
from email_consumer.message.model import encode, from_value

_POLL = 0.25
_TIMEOUT = aiohttp.ClientTimeout(total=5)

Answer = dict[str, Any] | None


class RoundTrip:
    """`async with RoundTrip(…) as trip: await trip.run()`. It talks to the sidecar on this machine."""

    def __init__(self, endpoint: NatsEndpoint, *, subject: str, url: str, key: str | None, patience: float) -> None:
        """`subject` is where mail is published; `url` and `key` are the sidecar's; `patience` in seconds, a step."""
        self._endpoint = endpoint
        self._subject = subject
        self._url = url
        self._session = aiohttp.ClientSession(headers={"X-API-KEY": key} if key else {}, timeout=_TIMEOUT)
        self._patience = patience
        name = uuid4().hex[:12]
        self._uuid = f"doctor-{name}"
        # SES's simulator accepts labels: a new address is on no suppression list yet.
        self._address = f"bounce+{name}@simulator.amazonses.com"
        self._mail = f"/v1/messages/{self._uuid}"
        self._suppression = f"/v1/suppressions/{quote(self._address)}"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def run(self) -> list[Finding]:
        """Step by step, up to the first that fails."""
        findings = []
        for step in (self._reach, self._publish, self._send, self._bounce, self._suppress, self._release):
            try:
                finding = await step()
            except (aiohttp.ClientError, TimeoutError) as failure:
                finding = self._unreachable(failure)
            findings.append(finding)
            if finding.severity is Severity.ERROR:
                break
        return findings

    async def _reach(self) -> Finding:
        status, _ = await self._ask("GET", self._mail)
        if status == 401:  # noqa: PLR2004
            text = "The sidecar refuses our API key, so the mail could not be tracked."
            return error("loop.sidecar", text, "Set API_KEY to one that the running program has; nothing was sent.")
        return ok("loop.sidecar", f"The sidecar answers at {self._url}.")

    def _unreachable(self, failure: Exception) -> Finding:
        text = f"No sidecar answers at {self._url} ({str(failure) or type(failure).__name__})."
        return error(
            "loop.sidecar", text, "Start `email-consumer run`, and ask from where it runs, with its SERVER_PORT."
        )

    async def _publish(self) -> Finding:
        body = "<p>A mail of email-consumer doctor, meant to bounce.</p>"
        mail = {"uuid": self._uuid, "email": self._address, "subject": "email-consumer doctor", "body": body}
        try:
            client = await connect(self._endpoint, patience=5)
            try:
                headers = {Header.MSG_ID.value: self._uuid}
                stored = await Publisher(client).once(self._subject, encode(from_value(mail)), headers)
            finally:
                await client.close()
        except RefusedError as failure:
            text = f"NATS does not store the mail: {failure}."
            return error("loop.published", text, "See the findings on nats and of queue.")
        except (NatsConnectError, LostAckError) as failure:
            text = f"The mail could not be published ({failure!r})."
            return error("loop.published", text, "See the findings on nats and of queue.")
        return ok("loop.published", f"{self._address}, stored as {stored.stream}:{stored.sequence}.")

    async def _send(self) -> Finding:
        mail = await self._until(self._mail, lambda found: found["status"] in {"Sent", "Failed", "Stopped"})
        if mail is None:
            _, last = await self._ask("GET", self._mail)
            state = f"its status is {last['status']}, {last['error']}" if last else "nobody took it from the stream"
            text = f"The mail was not sent within {self._patience:g} s: {state}."
            return error("loop.sent", text, "See the findings on ses, and the daemon's log (queue.held).")
        if mail["status"] != "Sent":
            text = f"The mail was not sent: {mail['status']}, {mail['error']}."
            return error("loop.sent", text, "See the findings on ses.")
        return ok("loop.sent", f"SES accepted it as {mail['message_id']}.")

    async def _bounce(self) -> Finding:
        bounced = await self._until(self._mail, lambda mail: any(each["kind"] == "Bounce" for each in mail["results"]))
        if bounced is None:
            text = f"SES accepted the mail, and its bounce did not come back within {self._patience:g} s."
            return error(
                "loop.bounced", text, "See the findings on ses.event_destination, sns and server, and the log."
            )
        return ok("loop.bounced", f"Events came back: {', '.join(each['kind'] for each in bounced['results'])}.")

    async def _suppress(self) -> Finding:
        entry = await self._until(self._suppression, lambda _: True)
        if entry is None:
            text = "The bounce came back, but did not put the address on the suppression list."
            return error("loop.suppressed", text, "That is a failure of this program: report it, with its log.")
        return ok("loop.suppressed", f"The address is on the suppression list: {entry['reason']}.")

    async def _release(self) -> Finding:
        status, _ = await self._ask("DELETE", self._suppression)
        if status != 200:  # noqa: PLR2004
            text = f"{self._address} can't be taken off the suppression list (HTTP {status})."
            return error("loop.released", text, f"`email-consumer suppressions remove {self._address}`")
        return ok("loop.released", "It is off the list again.")

    async def _until(self, path: str, wanted: Callable[[dict[str, Any]], bool]) -> Answer:
        """The first answer that is as wanted; None if it didn't come in time."""
        try:
            async with asyncio.timeout(self._patience):
                while True:
                    with suppress(TimeoutError):  # of this one request
                        _, found = await self._ask("GET", path)
                        if found and wanted(found):
                            return found
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            return None

    async def _ask(self, method: str, path: str) -> tuple[int, Answer]:
        """The status, and the document if it is a 200."""
        async with self._session.request(method, f"{self._url}{path}") as answer:
            return answer.status, await answer.json() if answer.status == 200 else None  # noqa: PLR2004
