"""The table that `benchmarks.crash_proof --peers` prints in the end."""

from dataclasses import replace

from benchmarks.crash_proof.peer_counts import PeerCount, table

_RUN = PeerCount(2_000, 18, lost=0, doubled=7, waiting=0, poison=40, bad=40, drained=True, most=150, seconds=60)


def test_each_sender_is_a_column_with_a_value_for_each_run_that_differs() -> None:
    runs = [_RUN, replace(_RUN, doubled=9, drained=False), replace(_RUN, doubled=7, waiting=3, drained=False)]
    assert table({"this": runs, "that": [_RUN] * 3}, rate=150.0).splitlines() == [
        "|  | this | that |",
        "| --- | --- | --- |",
        "| mails · faults of each run | 2,000 · 18 | 2,000 · 18 |",
        "| lost | 0 | 0 |",
        "| doubled | 7 · 9 · 7 | 7 |",
        "| poison kept | 40 of 40 | 40 of 40 |",
        "| drained | yes · no, poison left · stuck, 3 left | yes |",
        "| most in a second (SES allows 150) | 150 | 150 |",
    ]
