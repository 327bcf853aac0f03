import pytest

from email_consumer.runtime.backoff import backoff


@pytest.mark.parametrize(("failures", "seconds"), [(1, 5.0), (2, 10.0), (3, 20.0), (4, 30.0), (10_000, 30.0)])
def test_it_doubles_up_to_the_limit(failures: int, seconds: float) -> None:
    assert backoff(5.0, failures, 30.0) == seconds
