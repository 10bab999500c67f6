"""The measurement of accepted webhooks runs and gives figures."""

from pathlib import Path

import pytest

from benchmarks import webhooks
from sandbox import postgres


def test_durable_and_forgetful_listeners_are_measured_beside_each_other():
    (table,) = webhooks.measure(1, requests=40, connections=(1, 4))
    names = [row[0] for row in table.rows]
    assert names[:4] == [f"{name}, {many}" for name in (webhooks.NOTHING, "SQLite") for many in (1, 4)]
    assert len(names) == (4 if postgres.find_binaries() is None else 6)
    assert [row[2] for row in table.rows[:2]] == ["1.00", "1.00"]
    assert all(float(row[1].replace(",", "")) > 0 for row in table.rows)


async def test_a_webhook_that_is_not_accepted_is_an_error_and_not_a_figure(tmp_path: Path):
    found = await webhooks.measure_one(tmp_path, None, 10, (1,))
    assert found[1].per_second > 0
    with pytest.raises(ExceptionGroup, match="unhandled"):
        await webhooks.send("http://127.0.0.1:9", [b""], 1)
