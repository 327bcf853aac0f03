"""Numbers with what they count."""


def counted(count: int, noun: str) -> str:
    """`1 mail`, `2,000 mails`: for nouns with a regular plural."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
