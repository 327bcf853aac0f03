"""Adds the open pixel to tracked mail."""

import html
import re
from collections import deque
from collections.abc import Mapping
from typing import Literal

from email_consumer.core.mail_queue import ORIGIN
from email_consumer.message.model import EmailMessage
from email_consumer.tracking.tokens import OpenTokens

PATH = "/v1/events/open"

_END_OF_BODY = re.compile(r"</body\s*>", re.IGNORECASE)
_TAIL = 1_024
"""Characters at the end of a mail that nearly always contain its `</body>`."""


TrackOpens = Literal["api", "all", "off"]
"""Which mail is tracked unless it says otherwise: that from the HTTP API, all, or none."""


class OpenTracking:
    """Composes mail; see `pipeline.Compose`."""

    def __init__(self, mode: TrackOpens, tokens: OpenTokens, server_url: str) -> None:
        """`server_url` is what the pixel's address begins with."""
        self._mode = mode
        self._tokens = tokens
        self._url = f"{server_url}{PATH}?request_id="

    def compose(self, message: EmailMessage, headers: Mapping[str, str]) -> EmailMessage:
        """The mail with a pixel if it is tracked. `headers` are those of its delivery."""
        if not self._tracks(message, headers):
            return message
        return message.model_copy(update={"body": with_pixel(message.body, self._url + self._tokens.sign(message.tag))})

    def _tracks(self, message: EmailMessage, headers: Mapping[str, str]) -> bool:
        if self._mode == "off" or message.text_only:
            return False
        if message.track_opens is not None:
            return message.track_opens
        return self._mode == "all" or headers.get(ORIGIN) == "api"


def with_pixel(body: str, url: str) -> str:
    """The HTML with the pixel before its last `</body>` or at the end, otherwise unchanged."""
    # Not hidden by CSS: some clients don't load hidden images.
    pixel = f'<img src="{html.escape(url)}" width="1" height="1" alt="" border="0">'
    end = _end_of_body(body)
    return body[:end] + pixel + body[end:]


def _end_of_body(body: str) -> int:
    for start in (max(0, len(body) - _TAIL), 0):  # search all of a large mail only if needed
        last = deque(_END_OF_BODY.finditer(body, start), maxlen=1)
        if last:
            return last[0].start()
    return len(body)
