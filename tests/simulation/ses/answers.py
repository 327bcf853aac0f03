"""Answers as SES writes them, and those of whatever else may stand in between."""

import orjson

from email_consumer.ses.transport import Answer
from ses_sandbox.aws.errors import AwsError

_JSON = {"content-type": "application/json", "x-amzn-requestid": "5f2f4c7e-0000-4000-a000-000000000000"}
_HTML = {"content-type": "text/html"}


def accepted(message_id: str) -> Answer:
    return Answer(200, _JSON, b'{"MessageId":"%s"}' % message_id.encode())


def error(code: str, text: str | None = None, status: int | None = None) -> Answer:
    """An error of SES's own; status and text default to what SES has for the code."""
    known = AwsError(code, text, status)
    return Answer(known.status, _JSON | {"x-amzn-errortype": code}, orjson.dumps({"message": known.message}))


FOREIGN = {
    "a mesh's 503": Answer(503, _HTML, b"upstream connect error or disconnect/reset before headers"),
    "a proxy's 502": Answer(502, _HTML, b"<html>Bad Gateway</html>"),
    "a proxy's 504": Answer(504, _HTML, b"<html>Gateway Time-out</html>"),
    "a proxy's 407": Answer(407, _HTML, b"<html>who are you?</html>"),
    "a firewall's 403": Answer(403, _HTML, b"<html>blocked by policy</html>"),
    "a limiter's 429": Answer(429, _HTML, b"slow down"),
    "a bare 500": Answer(500, {}, b""),
    "a bare 400": Answer(400, {}, b""),
    "queued by a proxy": Answer(202, _JSON, b'{"MessageId":"42"}'),
    "a log-in page": Answer(200, _HTML, b"<html>log in to the network</html>"),
    "no message id": Answer(200, _JSON, b"{}"),
    "a message id that is none": Answer(200, _JSON, b'{"MessageId":null}'),
}
"""By name. None of them proves anything: SES may have accepted the mail or not."""
