"""The measurement of accepted webhooks runs and gives figures."""

from pathlib import Path

import pytest

from benchmarks import webhooks


def test_durable_and_forgetful_listeners_are_measured_beside_each_other(tmp_path: Path):
    another = {"another database": f"sqlite:///{tmp_path / 'another.db'}"}
    (table,) = webhooks.measure(1, another, requests=40, connections=(1, 4))
    assert [row[0] for row in table.rows] == [
        f"{name}, {many}" for name in (webhooks.NOTHING, "SQLite", "another database") for many in (1, 4)
    ]
    assert [row[2] for row in table.rows[:2]] == ["1.00", "1.00"]
    assert all(float(row[1].replace(",", "")) > 0 for row in table.rows)


async def test_a_webhook_that_is_not_accepted_is_an_error_and_not_a_figure(tmp_path: Path):
    found = await webhooks._measure(tmp_path, None, 10, (1,))
    assert found[1].per_second > 0
    with pytest.raises(ExceptionGroup, match="unhandled"):
        await webhooks.send("http://127.0.0.1:9", [b""], 1)
