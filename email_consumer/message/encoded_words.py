"""Text beyond ASCII as mail headers carry it: encoded words (https://www.rfc-editor.org/rfc/rfc2047)."""

from email.charset import Charset
from itertools import repeat

_LONGEST = 75
"""Characters of one encoded word, its charset and delimiters included (section 2)."""
_UTF_8 = Charset("utf-8")


def header_text(text: str) -> str:
    """Printable ASCII as it is; anything else as one or more encoded words."""
    return text if text.isascii() and text.isprintable() else encoded_words(text)


def encoded_words(text: str) -> str:
    """As base64 or quoted-printable, whichever is shorter; readers drop the blanks between the words."""
    return " ".join(filter(None, _UTF_8.header_encode_lines(text, repeat(_LONGEST))))
