"""nats-py, kept reading by whatever comes.

Anybody may publish a header block or a subject that its parser can't read (nats-py 2.16). It raises in the task that reads
the connection, which ends without a word: the client believes itself connected, hears nothing until its pings fail, and is
then delivered the same message again.
"""

from nats.aio.client import Client
from nats.aio.msg import Msg


class SteadyClient(Client):
    """A message that can't be read in all its parts arrives with those that can."""

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


def _readable(name: bytes) -> bytes:
    return name.decode(errors="replace").encode()
