"""What the log says of a connection that goes wrong again and again."""

from nats.errors import Error as NatsError
from structlog.testing import capture_logs

from email_consumer.jetstream.client import SteadyClient
from email_consumer.jetstream.connection_log import ConnectionLog


async def test_a_permission_that_each_mail_lacks_is_one_line_in_a_while() -> None:
    log = ConnectionLog(SteadyClient(), "127.0.0.1:4222", None)
    log._connected = True
    with capture_logs() as lines:
        for number in range(5_000):
            subject = f"$JS.ACK.messages.email-processor.1.{number}.{number}.{1_700_000_000_000_000_000 + number}.0"
            await log.error(NatsError(f'nats: Permissions Violation for Publish to "{subject}"'))
        await log.error(NatsError('nats: Permissions Violation for Publish to "messages-dead.rejected"'))
    assert [line["error"].rpartition(" ")[2] for line in lines] == [
        '"$JS.ACK.messages.email-processor.1.0.0.1700000000000000000.0"',
        '"messages-dead.rejected"',
    ]
