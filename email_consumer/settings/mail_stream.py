"""The mail stream and its consumer, as the settings name them, for the daemon and for commands."""

from email_consumer.settings import Settings
from email_consumer.sources.jetstream.mail_stream import MailStream


def mail_stream(settings: Settings) -> MailStream:
    return MailStream(
        settings.stream,
        settings.subject,
        settings.consumer,
        ack_wait=settings.ack_wait,
        concurrency=settings.concurrency_limit,
        replicas=settings.nats_replicas,
        transactional_subject=settings.transactional_subject,
    )
