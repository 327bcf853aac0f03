"""A consumer's configuration: what the server makes of what it is given, and which changes it allows."""

from collections.abc import Mapping
from typing import Any

from tests.simulation.jetstream.environment import NANOSECONDS
from tests.simulation.jetstream.errors import ApiError
from tests.simulation.jetstream.subjects import matches, overlap

Config = dict[str, Any]

_METADATA = {"_nats.level": "5", "_nats.req.level": "0", "_nats.ver": "2.15.1"}
_ACK_WAIT = 30 * NANOSECONDS
_FORGOTTEN = 5 * NANOSECONDS
_MAX_WAITING = 512
_MAX_ACK_PENDING = 1_000
_NOT_MODELLED = (
    "priority_groups",
    "priority_policy",
    "rate_limit_bps",
    "deliver_group",
    "opt_start_time",
    "sample_freq",
)
_FIXED = {
    "deliver_policy": "deliver policy",
    "opt_start_seq": "start sequence",
    "ack_policy": "ack policy",
    "replay_policy": "replay policy",
    "flow_control": "flow control",
    "idle_heartbeat": "heart beats",
    "max_waiting": "max waiting",
}
_SET_IF_TRUE = ("flow_control", "headers_only", "mem_storage")


def complete(name: str, given: Mapping[str, Any]) -> Config:
    """The configuration as the server keeps it.

    Raises:
        ApiError: the server refuses it.
        NotImplementedError: the model has no such thing.
    """
    wanted = {key: value for key, value in given.items() if value}
    if any(wanted.get(key) for key in _NOT_MODELLED) or wanted.get("replay_policy") == "original":
        raise NotImplementedError(f"consumer configuration {wanted}")
    pushes = "deliver_subject" in wanted
    config: Config = {
        "deliver_policy": "all",
        "ack_policy": "none",
        "replay_policy": "instant",
        "num_replicas": 0,
        **wanted,
        "metadata": {**wanted.get("metadata", {}), **_METADATA},
    }
    if "durable_name" in config:
        config["name"] = name
    for flag in _SET_IF_TRUE:
        if not config.get(flag):
            config.pop(flag, None)
    config["max_deliver"] = config.get("max_deliver") or -1
    backoff = config.get("backoff")
    if backoff:
        config["ack_wait"] = backoff[0]
    if config["ack_policy"] == "none":
        config.pop("ack_wait", None)
        config.pop("max_ack_pending", None)
    elif config["ack_policy"] == "explicit":
        config["ack_wait"] = config.get("ack_wait") or _ACK_WAIT
        config["max_ack_pending"] = config.get("max_ack_pending") or _MAX_ACK_PENDING
    else:
        raise NotImplementedError(f"consumer configuration {config}")
    if not pushes:
        config["max_waiting"] = config.get("max_waiting") or _MAX_WAITING
    if "durable_name" not in config:
        config["inactive_threshold"] = config.get("inactive_threshold") or _FORGOTTEN
    _check(config, pushes=pushes)
    return config


def check_for_stream(config: Config, stream: Config, others: list[Config]) -> None:
    """Raise where the stream does not allow such a consumer beside the `others`."""
    pushes = "deliver_subject" in config
    if pushes and any(matches(pattern, config["deliver_subject"]) for pattern in stream["subjects"]):
        raise ApiError(400, 10081, "consumer deliver subject forms a cycle")
    if stream["retention"] != "workqueue":
        return
    if config["ack_policy"] != "explicit":
        if not pushes:
            raise ApiError(400, 10084, "consumer in pull mode requires explicit ack policy on workqueue stream")
        raise ApiError(400, 10098, "workqueue stream requires explicit ack")
    mine = filters(config)
    for other in others:
        theirs = filters(other)
        if not mine or not theirs:
            raise ApiError(400, 10099, "multiple non-filtered consumers not allowed on workqueue stream")
        if any(overlap(one, two) for one in mine for two in theirs):
            raise ApiError(400, 10100, "filtered consumer not unique on workqueue stream")
    if config["deliver_policy"] != "all":
        raise ApiError(400, 10101, "consumer must be deliver all on workqueue stream")


def check_update(before: Config, after: Config) -> None:
    """Raise where the server would not change one configuration into the other."""
    for name, text in _FIXED.items():
        if before.get(name) != after.get(name) and not ("deliver_subject" in after) > ("deliver_subject" in before):
            raise ApiError(500, 10012, f"{text} can not be updated")
    if ("deliver_subject" in after) != ("deliver_subject" in before):
        what = "pull consumer to push" if "deliver_subject" in after else "push consumer to pull"
        raise ApiError(500, 10012, f"can not update {what} based")


def filters(config: Config) -> list[str]:
    """Its patterns; none if it takes everything."""
    if found := config.get("filter_subjects"):
        return list(found)
    return [config["filter_subject"]] if config.get("filter_subject") else []


def _check(config: Config, *, pushes: bool) -> None:
    if 0 < config["max_deliver"] <= len(config.get("backoff", ())):
        raise ApiError(400, 10116, "max deliver is required to be > length of backoff values")
    heartbeat = config.get("idle_heartbeat", 0)
    if not pushes:
        if heartbeat:
            raise ApiError(400, 10088, "consumer idle heartbeat requires a push based consumer")
        if config.get("flow_control"):
            raise ApiError(400, 10089, "consumer flow control requires a push based consumer")
    if heartbeat and heartbeat < NANOSECONDS // 10:
        raise ApiError(400, 10083, "consumer idle heartbeat needs to be >= 100ms")
    if config.get("flow_control") and not heartbeat:
        raise ApiError(400, 10108, "consumer with flow control also needs heartbeats")
    if config["deliver_policy"] == "by_start_sequence" and not config.get("opt_start_seq"):
        text = "consumer delivery policy is deliver by start sequence, but optional start sequence is not set"
        raise ApiError(400, 10094, text)
    if config["deliver_policy"] == "last_per_subject" and not filters(config):
        text = "consumer delivery policy is deliver last per subject, but optional filter subject is not set"
        raise ApiError(400, 10094, text)
