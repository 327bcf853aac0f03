"""nats-py, kept reading by whatever comes.

Anybody may publish a header block or a subject that its parser can't read, and the answer to a ping may come after a flush
has timed out (nats-py 2.16). Either raises in the task that reads the connection, which ends without a word: the client
believes itself connected, hears nothing until its pings fail, and is then delivered the same message again.

What subscribed and unsubscribed again during an outage is subscribed after it: nats-py sends the former alone.

It is also a shorter way for mail: nats-py has a queue and a task between what it reads and whom it is for, and a coroutine
for each message that is published.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from email_consumer.jetstream.parser import MessageParser

_NO_HEADERS: Mapping[str, str] = {}
_FIELDS = re.compile(r"(?:[!-9;-~]+: [!-~](?:[ -~]*[!-~])?\r\n)+")
"""Headers that need no care; all others are left to nats-py."""


class SteadyClient(Client):
    """A message that can't be read in all its parts arrives with those that can; a late answer to a ping is dropped.

    What arrives for a subscription that is over is unsubscribed again.
    """

    def __init__(self) -> None:
        super().__init__()
        self._ps = MessageParser(self)
        self._arrived_at_once: dict[int, Callable[[Msg], None]] = {}

    def deliver_at_once(self, subscription: Subscription, arrived: Callable[[Msg], None]) -> None:
        """From now on `arrived` is called with each message as it is read, in place of the subscription's callback."""
        self._arrived_at_once[subscription._id] = arrived  # noqa: SLF001 - it has no other name

    def publish_at_once(
        self, subject: str, payload: bytes, reply: str = "", headers: Mapping[str, str] = _NO_HEADERS
    ) -> bool:
        """Publish without waiting; all that is published before the event loop goes on is written together.

        False if there is something to wait for, such as a connection, or to look at, such as strange headers; nothing was
        published then.
        """
        if self._status != Client.CONNECTED:
            return False
        if not self._flush_queue or not self._flusher_task or self._flusher_task.done():
            return False
        command = self._command(subject, payload, reply, headers)
        if command is None or self._pending_data_size + len(command) > self._max_pending_size:
            return False
        self.stats["out_msgs"] += 1
        self.stats["out_bytes"] += len(payload)
        self._pending.append(command)
        self._pending_data_size += len(command)
        if self._flush_queue.empty():
            self._flush_queue.put_nowait(asyncio.get_running_loop().create_future())
        return True

    def _command(self, subject: str, payload: bytes, reply: str, headers: Mapping[str, str]) -> bytes | None:
        """What is written; None if nats-py has to see to it."""
        address = f"{subject} {reply}" if reply else subject
        if not headers:
            return b"PUB %b %d\r\n%b\r\n" % (address.encode(), len(payload), payload)
        fields = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        if not _FIELDS.fullmatch(fields):
            return None
        head = f"NATS/1.0\r\n{fields}\r\n".encode()
        return b"HPUB %b %d %d\r\n%b%b\r\n" % (address.encode(), len(head), len(head) + len(payload), head, payload)

    async def _process_connect_init(self) -> None:
        """Of a new connection, to which nothing was written yet.

        asyncio's `writelines` (Python 3.12, and 3.13 before 3.13.6) keeps watching the file of a connection that breaks
        under it: of the next file that gets the same number, nothing is ever read.
        """
        transport: Any = self._transport
        transport.writelines = lambda parts: transport.write(b"".join(parts))
        await super()._process_connect_init()

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        arrived = self._arrived_at_once.get(sid)
        if sid not in self._subs:
            await self._send_unsubscribe(sid)
            return
        if arrived is None:
            await super()._process_msg(sid, subject, reply, data, headers)
            return
        self.stats["in_msgs"] += 1
        self.stats["in_bytes"] += len(data)
        fields = await self._process_headers(headers) if headers else None
        message = self._build_message(sid, subject, reply, data, fields)
        try:
            arrived(message)
        except Exception as error:  # noqa: BLE001 - as from a callback: it must not end the reading
            await self._error_cb(error)

    def _remove_sub(self, sid: int, max_msgs: int = 0) -> None:
        self._arrived_at_once.pop(sid, None)
        super()._remove_sub(sid, max_msgs)

    async def _process_headers(self, headers: bytes | None) -> dict[str, str] | None:
        try:
            return await super()._process_headers(headers)
        except (ValueError, IndexError):
            return None

    def _build_message(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: dict[str, str] | None
    ) -> Msg:
        build = super()._build_message
        try:
            message: Msg = build(sid, subject, reply, data, headers)
        except UnicodeDecodeError:
            message = build(sid, _readable(subject), _readable(reply), data, headers)
        return message

    async def _process_pong(self) -> None:
        if self._pongs and self._pongs[0].done():
            self._pongs[0] = asyncio.get_running_loop().create_future()  # nobody waits for this one
        await super()._process_pong()


def _readable(name: bytes) -> bytes:
    return name.decode(errors="replace").encode()
