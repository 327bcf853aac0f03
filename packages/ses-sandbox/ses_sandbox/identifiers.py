"""Identifiers in the shapes AWS gives them.

They need to be unique, not secret: asking the system for random bytes at each (as `uuid.uuid4` does) would cost more
than the rest of a request's bookkeeping.
"""

from random import getrandbits


def random_uuid() -> str:
    """A version 4 UUID."""
    digits = f"{getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def ses_message_id(moment: float) -> str:
    """What SendEmail answers: the time (Unix seconds) as milliseconds in hexadecimal, a UUID, zeros."""
    return f"0100{int(moment * 1000):012x}-{random_uuid()}-000000"
