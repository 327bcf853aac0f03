"""What is asked of a consumer, within its limits and ours."""

import pytest

from email_consumer.sources.jetstream.pull_limits import PullLimits

MB = 1024 * 1024
S = 1_000_000_000
CONFIG = {"durable_name": "c", "max_waiting": 512, "max_ack_pending": 1000}


def limits(**config: object) -> PullLimits:
    return PullLimits.of({**CONFIG, **config})


def test_without_limits_one_request_asks_for_all() -> None:
    (request,) = limits().requests(500, MB)
    assert request == {"batch": 500, "expires": 30 * S, "idle_heartbeat": 5 * S, "max_bytes": 16 * MB}


@pytest.mark.parametrize("max_payload", [64 * 1024, MB, 8 * MB, 64 * MB])
def test_a_request_takes_the_largest_message_and_all_together_no_more_than_they_may(max_payload: int) -> None:
    for batch in (0, 1, 7, 1000):
        requests = list(limits(max_batch=batch).requests(500, max_payload))
        assert all(request["max_bytes"] > max_payload + 300 for request in requests)
        assert sum(request["max_bytes"] for request in requests) <= max(16 * MB, max_payload + 4096)


def test_a_small_batch_is_asked_for_several_times() -> None:
    assert [request["batch"] for request in limits(max_batch=5).requests(12, MB)] == [5, 5, 2]
    assert len(list(limits(max_batch=1).requests(500, MB))) == 15
    assert len(list(limits(max_batch=1, max_waiting=2).requests(500, MB))) == 2
    assert limits(max_batch=1).at_once(MB) == 15


def test_a_short_expiry_has_heartbeats_within_it() -> None:
    (request,) = limits(max_expires=1 * S).requests(1, MB)
    assert (request["expires"], request["idle_heartbeat"]) == (S, S // 3)


def test_bytes_are_asked_for_as_far_as_allowed() -> None:
    (request,) = limits(max_bytes=1000).requests(1, MB)
    assert request["max_bytes"] == 1000
    assert limits(max_bytes=1000).too_small_for(MB)
    assert not limits(max_bytes=2 * MB).too_small_for(MB)
    assert not limits().too_small_for(MB)


def test_a_priority_group_and_a_pin_are_named() -> None:
    (request,) = limits(priority_groups=["jobs"], priority_policy="pinned_client").requests(1, MB, pin="x1")
    assert (request["group"], request["id"]) == ("jobs", "x1")


@pytest.mark.parametrize("nothing", [None, 0, -1, "many", [], {}])
def test_what_is_no_limit_is_none(nothing: object) -> None:
    names = ("max_batch", "max_expires", "max_bytes", "max_waiting", "priority_groups")
    assert PullLimits.of(dict.fromkeys(names, nothing)) == PullLimits()


def test_the_servers_own_limit_is_learned_from_its_refusal() -> None:
    assert limits().learned("Exceeded MaxRequestBatch of 3").batch == 3
    assert limits().learned("Exceeded MaxRequestExpires of 1m30.5s").expires == 90.5
    assert limits().learned("Exceeded MaxRequestExpires of 250ms").expires == 0.25
    assert limits().learned("Exceeded MaxRequestMaxBytes of 1000").size == 1000
    assert limits().learned("Exceeded MaxWaiting") == limits()
    assert limits().learned("Exceeded MaxRequestBatch of plenty") == limits()


def test_with_few_places_for_requests_only_one_waits_at_a_time() -> None:
    assert not limits(max_waiting=1).overlap
    assert limits().overlap
