"""Streams and consumers as the API describes them."""

from typing import Any

from tests.simulation.jetstream.consumer import Consumer
from tests.simulation.jetstream.environment import nanoseconds
from tests.simulation.jetstream.message import NEVER, parse_time, rfc3339
from tests.simulation.jetstream.push import Push
from tests.simulation.jetstream.stream import Stream

Json = dict[str, Any]


def stream_info(stream: Stream, now: float, *, subjects: str = "", deleted: bool = False) -> Json:
    """With `subjects`, how many messages each subject has that the pattern takes."""
    return {
        "config": stream.config,
        "created": rfc3339(stream.created),
        "state": _state(stream, subjects, deleted=deleted),
        "ts": rfc3339(nanoseconds(now)),
    }


def consumer_info(consumer: Consumer, now: float) -> Json:
    redelivery, delivering = consumer.redelivery, consumer.delivering
    delivered: Json = {"consumer_seq": consumer.delivery, "stream_seq": consumer.cursor.position - 1}
    floor: Json = {"consumer_seq": consumer.floor_delivery, "stream_seq": consumer.floor}
    if consumer.delivered_at:
        delivered["last_active"] = rfc3339(consumer.delivered_at)
    if consumer.settled_at:
        floor["last_active"] = rfc3339(consumer.settled_at)
    info: Json = {
        "stream_name": consumer.stream.name,
        "name": consumer.name,
        "created": rfc3339(consumer.created),
        "config": consumer.config,
        "delivered": delivered,
        "ack_floor": floor,
        "num_ack_pending": len(redelivery.unsettled),
        "num_redelivered": len(redelivery.redelivered),
        "num_waiting": delivering.waiting,
        "num_pending": consumer.cursor.pending,
        "ts": rfc3339(nanoseconds(now)),
    }
    if isinstance(delivering, Push) and delivering.bound:
        info["push_bound"] = True
    if consumer.paused:
        info["paused"] = True
        info["pause_remaining"] = parse_time(consumer.config["pause_until"]) - nanoseconds(now)
    return info


def _state(stream: Stream, subjects: str, *, deleted: bool) -> Json:
    storage = stream.storage
    oldest = storage.messages.get(storage.first)
    state: Json = {
        "messages": len(storage.messages),
        "bytes": storage.bytes,
        "first_seq": storage.first if stream.used else 0,
        "first_ts": rfc3339(oldest.stored_at) if oldest else NEVER,
        "last_seq": storage.last,
        "last_ts": rfc3339(storage.last_at) if storage.last_at else NEVER,
        "consumer_count": len(stream.consumers),
    }
    if storage.by_subject:
        state["num_subjects"] = len(storage.by_subject)
    if subjects and storage.by_subject:
        state["subjects"] = {subject: len(storage.by_subject[subject]) for subject in storage.subjects(subjects)}
    gone = storage.last + 1 - storage.first - len(storage.messages)
    if gone:
        state["num_deleted"] = gone
        if deleted:
            held = storage.messages
            state["deleted"] = [number for number in range(storage.first, storage.last + 1) if number not in held]
    return state
