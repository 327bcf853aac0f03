from benchmarks.throughput.measurement import Sample, medians


def test_each_number_has_its_own_median() -> None:
    samples = [Sample(300, 10, 90), Sample(100, 30, 80), Sample(200, 20, 100)]
    assert medians(samples) == Sample(200, 20, 90)
