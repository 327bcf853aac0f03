"""nats-py, kept reading by whatever comes.

Anybody may publish a header block or a subject that its parser can't read, and the answer to a ping may come after a flush
has timed out (nats-py 2.16). Either raises in the task that reads the connection, which ends without a word: the client
believes itself connected, hears nothing until its pings fail, and is then delivered the same message again.
"""

import asyncio

from nats.aio.client import Client
from nats.aio.msg import Msg


class SteadyClient(Client):
    """A message that can't be read in all its parts arrives with those that can; a late answer to a ping is dropped."""

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
