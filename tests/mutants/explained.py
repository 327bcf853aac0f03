"""Changes that nothing has to notice, and why."""

_FASTER = "only makes it faster: without it the rest comes to the same"
_BOUNDARY = "the moment itself may belong to either side"
_UNREACHABLE = "never reached"
_GATE = "email_consumer/pipeline/gate.py Gate.permitted"
_RULE = "email_consumer/ledgers/rule.py"
_PACER = "email_consumer/pipeline/pacer.py Pacer"

EXPLAINED: dict[str, str] = {
    "email_consumer/pipeline/gate.py covers: origin.stored_at <= mark.before + _CLOCK_SKEW -> "
    "origin.stored_at < mark.before + _CLOCK_SKEW": _BOUNDARY,
    f"{_GATE}: not (message.cc or message.bcc) or not self.suppressed -> "
    "not (message.cc or message.bcc) and (not self.suppressed)": _FASTER,
    f"{_GATE}: return (message, ()) -> left out": _FASTER,
    f"{_PACER}.resume: return -> left out": "who holds nothing wakes it for nothing",
    f"{_PACER}.acquire: self._timer is None and self._waiting.next() is None -> "
    "self._timer is None or self._waiting.next() is None": "mail that waits without a timer waits for a hold, which is asked next",
    f"{_PACER}.acquire: due <= now + _RESOLUTION -> due < now + _RESOLUTION": _FASTER,
    f"{_PACER}.acquire: now + _RESOLUTION -> now - _RESOLUTION": _FASTER,
    f"{_PACER}.acquire: self._room_at(recipients, now) <= now -> self._room_at(recipients, now) < now": _FASTER,
    f"{_PACER}.acquire: lane is Lane.TRANSACTIONAL and self._waiting.next() is waiter -> "
    "lane is Lane.TRANSACTIONAL or self._waiting.next() is waiter": "looks once too often",
    f"{_PACER}.close: self._timer.cancel() -> left out": "the timer finds nobody",
    f"{_PACER}.close: self._waiting.keep(lambda _: False) -> left out": "those turned away are passed over",
    f"{_PACER}._wake: self._timer.cancel() -> left out": "a second timer looks once and finds nothing due",
    f"{_PACER}._release: now + _TICK -> now - _TICK": "more timers, each for less",
    f"{_PACER}._room_at: self._window[0][0] <= now - 1 -> self._window[0][0] < now - 1": _BOUNDARY,
    f"{_PACER}._room_at: return now -> left out": _UNREACHABLE,
    "email_consumer/pipeline/pipeline.py Pipeline._deliver: message.scheduled_at.timestamp() > time.time() -> "
    "message.scheduled_at.timestamp() >= time.time()": _BOUNDARY,
    "email_consumer/pipeline/pipeline.py Pipeline._stopped: message.expires_at.timestamp() <= time.time() -> "
    "message.expires_at.timestamp() < time.time()": _BOUNDARY,
    "email_consumer/pipeline/pipeline.py Pipeline._wait_for_window: message.expires_at <= due -> "
    "message.expires_at < due": _BOUNDARY,
    "email_consumer/pipeline/send_windows.py SendWindows._opening: computed_at <= now < opening.end -> "
    "computed_at < now < opening.end": _FASTER,
    "email_consumer/pipeline/send_windows.py SendWindows._opening: self._openings[window, zone] = (now, opening) -> "
    "left out": _FASTER,
    "email_consumer/pipeline/settlement.py Settlement._settle: assert_never(outcome) -> left out": _UNREACHABLE,
    "email_consumer/pipeline/waiting_mail.py _Turns.take: del self._tenants[waiter.tenant] -> left out": (
        "whoever asks for the next turn removes it"
    ),
    "email_consumer/pipeline/waiting_mail.py _Turns.take: len(self._tenants) > 1 -> len(self._tenants) >= 1": _FASTER,
    "email_consumer/pipeline/breaker.py Breaker._begin_era: self._timer = None -> left out": "it is cancelled twice",
    "email_consumer/ledgers/jetstream/record.py BucketEntry._takes: return False -> left out": "None is as false",
    f"{_RULE} _decide_on_finished: known.finished_at + policy.idempotency_ttl > now -> "
    "known.finished_at + policy.idempotency_ttl >= now": _BOUNDARY,
    f"{_RULE} _decide_on_finished: known.finished_at >= ended_before(origin.stored_at, policy.idempotency_ttl) -> "
    "known.finished_at > ended_before(origin.stored_at, policy.idempotency_ttl)": _BOUNDARY,
    f"{_RULE} _resolve: now < max(known.claimed_at, events_since) + policy.in_doubt_grace -> "
    "now <= max(known.claimed_at, events_since) + policy.in_doubt_grace": _BOUNDARY,
    "email_consumer/scheduling/due_mail.py DueMail.take: row['expires_at'] <= now -> row['expires_at'] < now": _BOUNDARY,
    "email_consumer/scheduling/due_mail.py DueMail._without_held: return rows -> left out": _FASTER,
    "email_consumer/pipeline/breaker.py Breaker._begin_era: self._era += 1 -> self._era -= 1": "only whether it is the same counts",
}
"""By a mutant's name."""
