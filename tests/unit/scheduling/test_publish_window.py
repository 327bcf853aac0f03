import pytest

from email_consumer.scheduling.publish_window import PublishWindow, window_for


def test_mails_and_bytes_bound_it() -> None:
    window = PublishWindow(max_mails=3, max_bytes=100)
    assert [window.add(mail, 40) for mail in (1, 2, 3)] == [True, True, False]
    assert window.mails == 1
    window.keep_only({2})
    assert [window.add(mail, 30) for mail in (3, 4, 5)] == [True, True, False]


def test_a_single_mail_fits_whatever_its_size() -> None:
    window = PublishWindow(max_mails=3, max_bytes=100)
    assert window.add(1, 1000)
    assert not window.add(2, 1)
    window.keep_only(())
    assert window.empty
    assert window.add(2, 1)


def test_mail_of_an_earlier_life_counts_as_large() -> None:
    window = PublishWindow(max_mails=4, max_bytes=100)
    window.keep_only({1, 2, 3})
    assert [window.add(mail, 20) for mail in (4, 5)] == [True, False]


@pytest.mark.parametrize(("rate", "mails"), [(1.0, 100), (200.0, 300), (5_000.0, 1_000)])
def test_a_window_holds_what_is_sent_until_the_next_look_within_bounds(rate: float, mails: int) -> None:
    assert window_for(rate).mails == mails


def test_a_window_knows_its_mail() -> None:
    window = PublishWindow()
    window.add(1, 10)
    assert (1 in window, 2 in window) == (True, False)
