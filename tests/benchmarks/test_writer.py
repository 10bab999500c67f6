"""The measurement of the writers runs, finds every word, and gives figures."""

from benchmarks import writer


def test_both_ways_to_show_a_reply_are_measured():
    exact, told = writer.measure(1, stories=8, live=(1,), seconds=1.0)
    assert [row[:3] for row in exact.rows] == [["edit", "4", "4"], ["native", "4", "4"]]
    assert [row[0] for row in told.rows] == ["edit, 1", "native, 1"]
    assert [row[3] for row in told.rows] == ["0", "0"], "no 429"
