"""The stream and its consumer: as a mail queue needs them, looked at without changing anything."""

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import ConsumerInfo, StreamInfo
from nats.js.errors import NotFoundError

from email_consumer.doctor.finding import Finding, error, ok, skipped, warning
from email_consumer.intake.drift import ConsumerNeeds, consumer_changes, consumer_faults, stream_faults, stream_risks


async def check_queue(client: Client, *, stream: str, consumer: str, needs: ConsumerNeeds) -> list[Finding]:
    """What starting the daemon would say of them."""
    jetstream = client.jetstream()
    try:
        found = await jetstream.stream_info(stream)
    except NotFoundError:
        text = f"The stream {stream!r} does not exist yet; until then nobody can publish."
        return [
            warning("queue.stream", text, "Start `email-consumer run` once: it makes it."),
            skipped("queue.consumer", "There is no stream yet."),
        ]
    except (NatsError, TimeoutError) as fault:
        return [_no_answer("queue.stream", fault)]
    findings = _stream(found, stream, needs.subject)
    try:
        return findings + _consumer(await jetstream.consumer_info(stream, consumer), found, needs)
    except NotFoundError:
        text = f"The consumer {consumer!r} does not exist yet."
        return [*findings, warning("queue.consumer", text, "Start `email-consumer run` once: it makes it.")]
    except (NatsError, TimeoutError) as fault:
        return [*findings, _no_answer("queue.consumer", fault)]


def _stream(found: StreamInfo, name: str, subject: str) -> list[Finding]:
    faults = [
        error("queue.stream", f"Stream {name!r}: {fault}.", "Set STREAM and SUBJECT to what publishers use.")
        for fault in stream_faults(found.config, subject)
    ]
    risks = [
        warning("queue.stream", f"Stream {name!r}: {risk}.", f"`nats stream edit {name}`, unless that is meant.")
        for risk in stream_risks(found.config)
    ]
    summary = ok("queue.stream", f"Stream {name!r} holds {found.state.messages:,} messages.")
    return faults + risks or [summary]


def _consumer(found: ConsumerInfo, stream: StreamInfo, needs: ConsumerNeeds) -> list[Finding]:
    faults = [
        error(
            "queue.consumer",
            f"Consumer {found.name!r}: {fault}.",
            "Name another one in CONSUMER, or delete it: `email-consumer run` makes it anew.",
        )
        for fault in consumer_faults(found.config, stream.config, needs.subject)
    ]
    changes = [
        warning(
            "queue.consumer",
            f"Consumer {found.name!r}: {name} is {now}, not {wanted}; {reason}.",
            "Restart `email-consumer run`: it brings that in line. If it comes back, somebody else changes it.",
        )
        for name, (now, wanted, reason) in consumer_changes(found.config, needs).items()
    ]
    waiting = f"{found.num_pending or 0:,} wait, {found.num_ack_pending or 0:,} are in hand or wait for a retry"
    return faults + changes or [ok("queue.consumer", f"Consumer {found.name!r}: {waiting}.")]


def _no_answer(check: str, fault: Exception) -> Finding:
    return error(check, f"JetStream gives no answer ({fault!r}).", "Check our user's permissions on $JS.API.>.")
