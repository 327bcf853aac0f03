"""What the settings alone tell."""

from collections.abc import Sequence

from email_consumer.core.safe_mode import SafeMode
from email_consumer.doctor.finding import Finding, error, ok, warning
from email_consumer.settings import api_keys


def check_api_keys(keys: Sequence[str], *, public: bool) -> Finding:
    """API_KEY; `public` is whether strangers reach the sidecar, so that they might guess."""
    make = f"{api_keys.ADVICE[0].upper()}{api_keys.ADVICE[1:]}."
    if not keys:
        return warning("settings.api_key", "API_KEY is not set: statistics, cancellation and metrics refuse.", make)
    if public and any(map(api_keys.well_known, keys)):
        return error("settings.api_key", "An API_KEY is one that anybody would try first: it is refused.", make)
    if public and api_keys.short(keys):
        text = f"An API_KEY is shorter than {api_keys.SHORT} characters: it can be guessed."
        return warning("settings.api_key", text, make)
    return ok("settings.api_key", f"{len(keys)} API key{'s' if len(keys) > 1 else ''}.")


def check_safe_mode(safe_mode: SafeMode | None) -> Finding:
    """RECIPIENT_ALLOWLIST and REDIRECT_ALL_TO; in production they would keep mail from its recipients."""
    if safe_mode is None:
        return ok("settings.safe_mode", "Safe mode is off: mail goes to its recipients.")
    others = f"goes to {safe_mode.redirect_to}" if safe_mode.redirect_to else "is stopped"
    return warning(
        "settings.safe_mode",
        f"SAFE MODE is on: mail goes to {', '.join(sorted(safe_mode.allowed))} only; all other mail {others}.",
        "Right for staging. In production, unset RECIPIENT_ALLOWLIST and REDIRECT_ALL_TO.",
    )
