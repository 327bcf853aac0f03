"""What a sandbox is started with."""

from dataclasses import dataclass
from pathlib import Path

ACCOUNT_ID = "000000000000"
"""The AWS account all of the sandbox's resources belong to: one that no customer can own."""

DEFAULT_REGION = "ap-northeast-2"
"""Default region in the ARNs of the sandbox's own resources."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    """Start-up configuration; changes made over HTTP while it runs are not stored."""

    data: Path
    """Directory of everything that must survive a kill; created if absent."""

    host: str = "127.0.0.1"
    names: tuple[str, ...] = ()
    """Other names it is reached by, such as its container's."""
    port: int = 0
    """TCP port; 0: a free one."""

    access_key: str = "sandbox"
    secret_key: str = "sandbox-secret"  # noqa: S105 - a test credential by design
    """The only credentials whose signatures are accepted."""

    region: str | None = None
    """The only region requests may be signed for; None accepts any."""

    max_send_rate: float = 10_000.0
    """Recipients a second."""

    max_24_hour_send: float = -1.0
    """Recipients in any 24 hours; -1 is unlimited, as in GetAccount."""

    keep: int = 100_000
    """How many mails, the newest, are kept."""

    events_to: str | None = None
    """URL that gets the SES events: subscribed to the topic `ses-events`, asked to confirm until it does."""

    event_retry_delay: float = 20.0
    """Seconds between attempts to post an event; SNS takes 20."""

    event_max_retries: int | None = 3
    """Attempts after the first; None: no limit."""

    @property
    def home_region(self) -> str:
        """The region of the sandbox's own resources."""
        return self.region or DEFAULT_REGION
