"""What a hold is about, as one text: `account`, `lane:bulk`, `tenant:<name>` or `topic:<id>`."""

from collections.abc import Iterator

from email_consumer.message.fields import LONGEST_KEY, is_one_line
from email_consumer.message.lane import Lane

ACCOUNT = "account"
BULK = f"lane:{Lane.BULK}"
TURN = "turn"
"""Not a hold: mail over its tenant's share, which is due as soon as it is stored."""
_TENANT, _TOPIC, _RAMP, _LIMIT = "tenant:", "topic:", "ramp:", "limit:"


def topic_key(topic_id: str) -> str:
    return _TOPIC + topic_id


def tenant_key(tenant: str) -> str:
    return _TENANT + tenant


def ramp_key(domain: str) -> str:
    """Not a hold: bulk mail of a sender domain that waits for its ramp."""
    return _RAMP + domain


def ramp_of(key: str) -> str | None:
    """The domain whose ramp mail with this key waits for, if it does."""
    return key.removeprefix(_RAMP) if key.startswith(_RAMP) else None


def limit_key(tenant: str, lane: Lane) -> str:
    """Not a hold: mail of a tenant, in one lane, that waits for the tenant's limits."""
    return f"{_LIMIT}{lane}:{tenant}"


def limited_by(key: str) -> str | None:
    """The tenant for whose limits mail with this key waits, if it does."""
    return key.rpartition(":")[2] if key.startswith(_LIMIT) else None


def topic_of(key: str) -> str | None:
    """The topic that the key names, if it names one."""
    return key.removeprefix(_TOPIC) if key.startswith(_TOPIC) else None


def tenant_of(key: str) -> str | None:
    """The tenant that the key names, if it names one."""
    return key.removeprefix(_TENANT) if key.startswith(_TENANT) else None


def keys_of(topic_id: str | None, tenant: str | None, *, bulk: bool) -> Iterator[str]:
    """All keys that a mail comes under, the widest first. Lanes and topics concern bulk mail alone."""
    yield ACCOUNT
    if bulk:
        yield BULK
    if tenant:
        yield tenant_key(tenant)
    if topic_id and bulk:
        yield topic_key(topic_id)


def concerns_transactional(key: str) -> bool:
    """Whether an operator who holds this key means transactional mail, too."""
    return key == ACCOUNT or key.startswith(_TENANT)


def check_key(key: str) -> str:
    """The key as given.

    Raises:
        ValueError: it is not a key.
    """
    name = topic_of(key) or tenant_of(key)
    if key not in {ACCOUNT, BULK} and not (name and len(name) <= LONGEST_KEY and is_one_line(name)):
        raise ValueError(
            "must be account, lane:bulk, tenant:<name> or topic:<id>; transactional mail has no topic hold"
        )
    return key
