"""Times and figures: what is accepted, and how they are written."""

import contextlib
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_bot.catalog import Unit
from sre_bot.errors import BadRequest
from sre_bot.tools.figures import figure, measure
from sre_bot.tools.moments import clock, parse_duration, parse_moment, span

NOW = datetime(2026, 1, 31, 14, 5, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "before_now"),
    [
        ("now", 0),
        ("now-1h", 3600),
        ("now - 1h30m", 5400),
        ("-30m", 1800),
        ("30m", 1800),
        (" 90s ", 90),
        ("1.5h", 5400),
        ("500ms", 0.5),
        ("1d", 86400),
        ("1w", 604800),
        (str(int(NOW) - 60), 60),
        (str((int(NOW) - 60) * 1000), 60),
        ("2026-01-31T14:00:12Z", 300),
        ("2026-01-31T15:00:12+01:00", 300),
        ("2026-01-31 14:00:12", 300),
        ("2026-01-31", 50712),
        ("14:05:02Z", 10),
        ("14:05Z", 12),
        ("14:06Z", 86400 - 48),
        (str(int(NOW) + 30), 0),
    ],
)
def test_a_time_is_read_as_people_write_it(text: str, before_now: float) -> None:
    assert parse_moment(text, NOW) == pytest.approx(NOW - before_now)


@pytest.mark.parametrize(
    "text", ["", " ", "soon", "30", "-5", "now+1h", "1h-2h", "2026-13-01", "1e9", "\u0663\u0660m", "9" * 40]
)
def test_what_is_no_time_is_answered_with_what_is(text: str) -> None:
    with pytest.raises(BadRequest, match="Accepted: now, now-1h"):
        parse_moment(text, NOW)


def test_the_future_is_refused_with_the_present_time() -> None:
    with pytest.raises(BadRequest, match="lies in the future; it is 14:05:12Z now"):
        parse_moment("2026-02-01T00:00:00Z", NOW)


@given(st.text(max_size=30))
def test_any_text_is_a_time_not_after_now_or_refused(text: str) -> None:
    with contextlib.suppress(BadRequest):
        assert 0 <= parse_moment(text, NOW) <= NOW


@pytest.mark.parametrize(("text", "seconds"), [("15s", 15), ("1m", 60), ("1h30m", 5400), ("90", 90), ("0.5", 0.5)])
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0s", "-1m", "fast", "1 parsec"])
def test_what_is_no_duration_above_zero_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="is not a duration"):
        parse_duration(text)


def test_a_time_a_day_or_more_ago_is_shown_with_its_date() -> None:
    assert clock(NOW, NOW) == "14:05:12Z"
    assert clock(NOW - 86399, NOW) == "14:05:13Z"
    assert clock(NOW - 86400, NOW) == "2026-01-30 14:05:12Z"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.25, "250 ms"), (45, "45 s"), (240, "4 m"), (5400, "1 h 30 m"), (3601, "1 h"), (172800, "2 d")],
)
def test_a_span_has_two_units_at_most(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1"),
        (-3.0, "-3"),
        (12345.0, "12345"),
        (12345.6, "12300"),
        (0.012345, "0.0123"),
        (85.25, "85.2"),
        (99.96, "100"),
        (0.00012345, "0.000123"),
        (1.2345e-7, "1.23e-7"),
        (12_345_678.0, "1.23e7"),
        (1e300, "1e300"),
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
    ],
)
def test_a_figure_has_three_significant_digits(value: float, text: str) -> None:
    assert figure(value) == text


@given(st.floats(min_value=-1e300, max_value=1e300))
def test_any_figure_is_short_and_right_to_half_a_percent(value: float) -> None:
    text = figure(value)
    assert len(text) <= 10
    assert float(text) == pytest.approx(value, rel=0.005)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.331, "ratio", "33.1 %"),
        (1200.0, "ms", "1200 ms"),
        (85.21, "per_second", "85.2/s"),
        (1536.0, "bytes", "1.5 KiB"),
        (3e9, "bytes", "2.79 GiB"),
        (45.0, "count", "45"),
        (0.0, "ratio", "0 %"),
        (None, "ratio", "NO DATA"),
        (math.nan, "ms", "NO DATA"),
    ],
)
def test_a_measure_carries_its_unit_and_absence_is_not_zero(value: float | None, unit: Unit, text: str) -> None:
    assert measure(value, unit) == text
