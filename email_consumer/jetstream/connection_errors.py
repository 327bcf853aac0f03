"""What is wrong with a NATS connection, in words that say what to check."""

import socket
import ssl
from urllib.parse import urlsplit

from nats.errors import AuthorizationError, InvalidUserCredentialsError

from email_consumer.runtime.errors import OperatorError


class ConnectionLostError(OperatorError):
    """The NATS server closed the connection for good; a restart may help, waiting won't."""


class NatsConnectError(OperatorError):
    """NATS can't be reached or does not let us in; the text says what to check and holds no secret."""


def explain(error: Exception) -> tuple[str, bool]:
    """The message, and whether it is a refusal, which waiting doesn't fix."""
    text = str(error)
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted, check NATS_CA ({error.verify_message})", True
        case ssl.SSLError():
            return f"TLS failed, check NATS_CA, NATS_CERT and NATS_KEY ({error.reason or text})", True
        case AuthorizationError() | InvalidUserCredentialsError():
            return _REFUSED, True
        case _ if "authorization violation" in text.lower() or "authentication" in text.lower():
            return _REFUSED, True
        case socket.gaierror():
            return "its host name is not known, check NATS_URL", False
        case ConnectionRefusedError():
            return "nothing listens there, check NATS_URL and whether nats-server runs", False
        case TimeoutError():
            return "it does not answer, check NATS_URL and firewalls", False
    return text or type(error).__name__, False


_REFUSED = "it refuses our credentials, check NATS_USER and NATS_PASSWORD, NATS_TOKEN, NATS_NKEY_SEED or NATS_CREDS"


def without_password(url: str) -> str:
    """The URL of a server as a log may show it."""
    parts = urlsplit(url if "://" in url else f"nats://{url}")
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
