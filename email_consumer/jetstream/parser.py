"""nats-py's parser of the protocol, with a shorter way for what comes most: messages that lie whole in what was read.

nats-py cuts each message off the front of its buffer, and tries a regular expression for each kind of line.
"""

from nats.protocol.parser import AWAITING_CONTROL_LINE, CRLF_SIZE, Parser

_MESSAGE, _WITH_HEADERS = b"MSG ", b"HMSG "
_WORDS = (4, 5)
"""Of a message's first line, without and with a reply subject: MSG <subject> <sid> [reply] <size>."""


class MessageParser(Parser):
    """Takes whole messages itself, and leaves all else to nats-py."""

    def reset(self) -> None:
        super().reset()
        self._awaited = 0
        """Bytes in which the message at the front of the buffer is whole; 0 if that is not known."""

    async def parse(self, data: bytes = b"") -> None:
        if self.state == AWAITING_CONTROL_LINE:
            if self.buf:
                self.buf += data
                if len(self.buf) < self._awaited:
                    return
                data = bytes(self.buf)
                self.buf.clear()
            data = await self._after_messages(data)
            if self._awaited:
                self.buf += data
                return
        if data:
            await super().parse(data)

    async def _after_messages(self, data: bytes) -> bytes:
        """Pass on the messages in front; returns what follows."""
        position = self._awaited = 0
        while data.startswith((_MESSAGE, _WITH_HEADERS), position) and (end := data.find(b"\r\n", position)) > 0:
            words = data[position:end].split()
            headers = words.pop(-2) if data.startswith(_WITH_HEADERS, position) and len(words) > min(_WORDS) else b"0"
            try:
                sid, header_size, size = int(words[2]), int(headers), int(words[-1])
            except (ValueError, IndexError):
                break
            if len(words) not in _WORDS:
                break
            begin = end + CRLF_SIZE
            body, after = begin + header_size, begin + size + CRLF_SIZE
            if len(data) < after:
                self._awaited = after - position
                break
            reply = words[3] if len(words) == max(_WORDS) else b""
            await self.nc._process_msg(sid, words[1], reply, data[body : begin + size], data[begin:body])  # noqa: SLF001
            position = after
        return data[position:] if position else data
