"""Safe mode, as the settings ask for it."""

from email_consumer.core.safe_mode import SafeMode
from email_consumer.settings import Settings


def safe_mode_of(settings: Settings) -> SafeMode | None:
    """None if neither RECIPIENT_ALLOWLIST nor REDIRECT_ALL_TO is set."""
    return SafeMode.of(settings.recipient_allowlist, settings.redirect_all_to)
