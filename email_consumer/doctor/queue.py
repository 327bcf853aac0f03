"""The stream and its consumers: as a mail queue needs them, looked at without changing anything."""

from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import ConsumerConfig, StreamInfo
from nats.js.errors import NotFoundError

from email_consumer.doctor.finding import Finding, error, ok, skipped, warning
from email_consumer.jetstream.api import ask
from email_consumer.runtime.counted import counted
from email_consumer.sources.jetstream.drift import (
    ConsumerNeeds,
    consumer_changes,
    consumer_errors,
    consumer_risks,
    stream_errors,
    stream_risks,
)
from email_consumer.sources.jetstream.transactional_lane import TransactionalLane
from email_consumer.sources.jetstream.unconsumed import find_unconsumed


async def check_queue(client: Client, *, stream: str, consumer: str, needs: ConsumerNeeds) -> list[Finding]:
    """What starting the daemon would say of them."""
    jetstream = client.jetstream()
    try:
        found = await jetstream.stream_info(stream)
    except NotFoundError:
        text = f"The stream {stream!r} does not exist yet; until then nobody can publish."
        return [
            warning("queue.stream", text, "Start `email-consumer run` once: it creates it."),
            skipped("queue.consumer", "There is no stream yet."),
        ]
    except (NatsError, TimeoutError) as failure:
        return [_no_answer("queue.stream", failure)]
    findings = _stream(found, stream, needs.subject) + await _subjects(client, stream)
    try:
        theirs = await ask(client, f"CONSUMER.INFO.{stream}.{consumer}")
        return findings + _consumer("queue.consumer", theirs, found, needs, client.max_payload)
    except NotFoundError:
        text = f"The consumer {consumer!r} does not exist yet."
        return [*findings, warning("queue.consumer", text, "Start `email-consumer run` once: it creates it.")]
    except (NatsError, TimeoutError) as failure:
        return [*findings, _no_answer("queue.consumer", failure)]


async def check_transactional_lane(client: Client, lane: TransactionalLane) -> list[Finding]:
    """Whether transactional mail has a lane, and the state of its consumer."""
    try:
        found = await client.jetstream().stream_info(lane.consumer.stream)
        await lane.find()
        if lane.missing:
            waiting = await lane.unread()
            return [_one_lane(lane, waiting)]
        info = await lane.consumer.info()
    except NotFoundError:
        return [skipped("queue.transactional", "There is no stream yet.")]
    except (NatsError, TimeoutError) as failure:
        return [_no_answer("queue.transactional", failure)]
    return _consumer("queue.transactional", info, found, lane.consumer.needs, client.max_payload)


def _one_lane(lane: TransactionalLane, waiting: int) -> Finding:
    text = f"There is one lane, in which transactional mail waits its turn among bulk mail: {lane.missing}."
    fix = "Start `email-consumer run` once: it creates what is missing, or its log says why it can't (lanes.one)."
    if waiting:
        text += f" {waiting:,} messages lie on {lane.subject!r}, and nobody reads them."
        fix = "`email-consumer lanes adopt` has them sent; or purge the subject. Then restart `email-consumer run`."
    elif lane.conflict:
        fix = "Set SUBJECT to the subject of bulk mail alone, with another CONSUMER once the queue is empty."
    return warning("queue.transactional", text, fix)


def _stream(found: StreamInfo, name: str, subject: str) -> list[Finding]:
    failures = [
        error("queue.stream", f"Stream {name!r}: {failure}.", "Set STREAM and SUBJECT to what publishers use.")
        for failure in stream_errors(found.config, subject)
    ]
    risks = [
        warning("queue.stream", f"Stream {name!r}: {risk}.", f"`nats stream edit {name}`, unless this is intended.")
        for risk in stream_risks(found.config)
    ]
    summary = ok("queue.stream", f"Stream {name!r} holds {counted(found.state.messages, 'message')}.")
    return failures + risks or [summary]


async def _subjects(client: Client, stream: str) -> list[Finding]:
    try:
        lost = await find_unconsumed(client, stream)
    except (NatsError, TimeoutError) as failure:
        return [_no_answer("queue.subjects", failure)]
    if not lost:
        return [ok("queue.subjects", "All that lies in the stream is some consumer's.")]
    text = f"{lost.messages:,} messages lie on subjects that no consumer reads, so they are never sent: {lost}."
    fix = f"Publish to SUBJECT; what lies there: publish it again, then `nats stream purge {stream} --subject …`."
    return [warning("queue.subjects", text, fix)]


def _consumer(
    check: str, found: dict[str, Any], stream: StreamInfo, needs: ConsumerNeeds, max_payload: int
) -> list[Finding]:
    """`found` is what the server says of it, in its own JSON."""
    name = found["name"]
    config = ConsumerConfig.from_response(dict(found["config"]))
    failures = [
        error(
            check,
            f"Consumer {name!r}: {failure}.",
            "Set CONSUMER to another name, or delete it: `email-consumer run` recreates it.",
        )
        for failure in consumer_errors(config, stream.config, needs)
    ]
    if found.get("paused"):
        text = f"Consumer {name!r} is paused until {found['config'].get('pause_until')}: no mail is sent."
        failures.append(error(check, text, f"`nats consumer resume {stream.config.name} {name}`."))
    changes = [
        warning(
            check,
            f"Consumer {name!r}: {field} is {now}, not {wanted}; {reason}.",
            "Restart `email-consumer run`: it corrects that. If this happens again, another program changes it.",
        )
        for field, (now, wanted, reason) in consumer_changes(config, stream.config, needs).items()
    ]
    risks = [
        warning(check, f"Consumer {name!r}: {risk}.", f"`nats consumer edit {stream.config.name} {name}`.")
        for risk in consumer_risks(found["config"], max_payload)
    ]
    if found["num_pending"] and not (found["num_ack_pending"] or found["num_waiting"]):
        text = f"Consumer {name!r}: {counted(found['num_pending'], 'mail')} waiting, none is being processed, and no program requests them."
        fix = "Start `email-consumer run`, or see its log (intake.interrupted)."
        risks.append(warning(check, text, fix))
    waiting = (
        f"{found['num_pending']:,} are waiting, {found['num_ack_pending']:,} are being processed or waiting for a retry"
    )
    summary = ok(check, f"Consumer {name!r}: {waiting}{_limits(found['config'])}.")
    return failures + changes + risks or [summary]


def _limits(config: dict[str, Any]) -> str:
    """What it lets a request ask for, where that is less than usual."""
    named = [f"{name} {config[name]}" for name in ("max_batch", "max_bytes") if config.get(name)]
    return f"; requests are kept to {' and '.join(named)}" if named else ""


def _no_answer(check: str, failure: Exception) -> Finding:
    return error(check, f"JetStream does not respond ({failure!r}).", "Check our user's permissions on $JS.API.>.")
