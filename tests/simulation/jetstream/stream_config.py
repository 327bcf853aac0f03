"""A stream's configuration: what the server makes of what it is given, and which changes it allows."""

from collections.abc import Mapping
from typing import Any

from tests.simulation.jetstream import errors
from tests.simulation.jetstream.environment import NANOSECONDS

Config = dict[str, Any]

_WINDOW = 120 * NANOSECONDS
_DEFAULTS: Config = {
    "retention": "limits",
    "max_consumers": -1,
    "max_msgs": -1,
    "max_bytes": -1,
    "max_age": 0,
    "max_msgs_per_subject": -1,
    "max_msg_size": -1,
    "discard": "old",
    "storage": "file",
    "num_replicas": 1,
    "duplicate_window": _WINDOW,
    "compression": "none",
    "allow_direct": False,
    "mirror_direct": False,
    "sealed": False,
    "deny_delete": False,
    "deny_purge": False,
    "allow_rollup_hdrs": False,
    "consumer_limits": {},
    "allow_msg_ttl": False,
}
_OPTIONAL = {"first_seq", "subject_transform", "discard_new_per_subject", "subject_delete_marker_ttl", "description"}
_LIMITS = ("max_consumers", "max_msgs", "max_bytes", "max_msgs_per_subject", "max_msg_size")
_METADATA = {"_nats.level": "5", "_nats.req.level": "0", "_nats.ver": "2.15.1"}
_HARMLESS: dict[str, tuple[Any, ...]] = {"allow_atomic": (False,), "allow_msg_counter": (False,), "allow_msg_schedules": (False,), "allow_batched": (False,)}  # fmt: skip


def complete(name: str, given: Mapping[str, Any], servers: int) -> Config:
    """The configuration as the server keeps it.

    Raises:
        ApiError: the server refuses it.
        NotImplementedError: the model has no such thing.
    """
    wanted = {key: value for key, value in given.items() if value is not None}
    if wanted.get("name", name) != name:
        raise errors.ApiError(400, 10056, "stream name in subject does not match request")
    _check_modelled(wanted)
    metadata = {**wanted.pop("metadata", {}), **_METADATA}
    config = {"name": name, "subjects": [name], **_DEFAULTS, **wanted, "metadata": metadata}
    config["subjects"] = config["subjects"] or [name]
    for limit in _LIMITS:
        config[limit] = config[limit] or -1
    _set_window(config, wanted)
    if config["num_replicas"] > servers:
        text = "replicas > 1 not supported in non-clustered mode" if servers == 1 else "insufficient resources"
        raise errors.ApiError(500, 10074, text)
    config["num_replicas"] = config["num_replicas"] or 1
    return config


def check_update(before: Config, after: Config) -> None:
    """Raise where the server would not change one configuration into the other."""
    if before["storage"] != after["storage"]:
        raise errors.bad_stream("stream configuration update can not change storage type")
    if before["retention"] != after["retention"]:
        raise errors.bad_stream("stream configuration update can not change retention policy to/from workqueue")
    if before["deny_delete"] and not after["deny_delete"]:
        raise errors.bad_stream("stream configuration update can not cancel deny message deletes")
    if before["deny_purge"] and not after["deny_purge"]:
        raise errors.bad_stream("stream configuration update can not cancel deny purge")
    if before["allow_msg_ttl"] and not after["allow_msg_ttl"]:
        raise errors.bad_stream("message TTL status can not be disabled")


def _set_window(config: Config, wanted: Config) -> None:
    """The duplicate window is at most as long as messages are kept."""
    longest = config["max_age"]
    if not wanted.get("duplicate_window"):
        config["duplicate_window"] = min(_WINDOW, longest) if longest else _WINDOW
    elif longest and config["duplicate_window"] > longest:
        raise errors.bad_stream("duplicates window can not be larger then max age")


def _check_modelled(wanted: Config) -> None:
    for name, value in wanted.items():
        known = name in _DEFAULTS or name in _OPTIONAL or name in ("name", "subjects", "metadata")
        if not known and value not in _HARMLESS.get(name, ()) and value:
            raise NotImplementedError(f"stream configuration {name}={value!r}")
    if wanted.get("retention") == "interest" or wanted.get("sealed"):
        raise NotImplementedError(f"stream configuration {wanted}")
