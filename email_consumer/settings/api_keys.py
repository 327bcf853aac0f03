"""Whether an API key could be guessed."""

import re
from collections.abc import Iterable

SHORT = 16
"""Characters: fewer can be found by trying."""
ADVICE = "set API_KEY to something like the output of `openssl rand -hex 24`"

_WORDS = """
admin apikey changeit changeme changethis default demo dev development dummy email emailconsumer example foo
foobar guest hello key letmein local localkey mykey none null pass passw0rd password placeholder prod production
qwerty replaceme root sample secret secretkey staging supersecret test testing testkey todo token user xapikey
yourapikey yourkey
"""
_WELL_KNOWN = frozenset(_WORDS.split())
_NO_LETTER = re.compile(r"[^a-z]")


def well_known(key: str) -> bool:
    """What examples and defaults say, whatever digits and punctuation stand around it."""
    letters = _NO_LETTER.sub("", key.lower())
    return len(key) < SHORT and (not letters or letters in _WELL_KNOWN or key.lower() in _WELL_KNOWN)


def short(keys: Iterable[str]) -> bool:
    return any(len(key) < SHORT for key in keys)
