"""How much a figure moved at the onset, and when that was.

Alerts come late, so the told time is only where the search for the onset ends. The rows since then are weighted by how
bad the target was in them, so that every service is read when the symptom is worst.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sre_bot.root_cause.observations import Change, Kind, Measured, Rows

Floats = NDArray[np.float64]

BASELINE_S = 900.0  # before the onset; an hour's daily trend is not in it, a burst of noise does not fill it
SEARCH_S = 1800.0  # how long before the told time the onset may be
AHEAD_S = 300.0  # how long after it: clocks differ, and a prediction may alert before anybody is hurt
FEWEST_ROWS = 3
WORTH_SNAPPING = 2.0  # in units of the usual spread; a smaller worsening moves no onset
LEVEL_SHARE = 0.05  # a level that moves by less than this share of itself has not moved
FLOOR = {"latency": 1e-3, "errors": 2e-3}  # 1 ms; 0.2 points
SIGMAS_BETWEEN = 3.29  # between the quantiles .05 and .95 of a normal distribution


@dataclass(frozen=True)
class Window:
    """Which rows are before and since the onset; `weights` are of all rows, 0 before it."""

    onset: float
    baseline: NDArray[np.bool_]
    history: NDArray[np.bool_]
    weights: Floats


def gate(z: float) -> float:
    """How far a move is believed: 0 up to z = 1, 1 from z = 5 on."""
    return min(1.0, max(0.0, (z - 1.0) / 4.0))


def find_window(times: Floats, step: float, target: Measured, told: float) -> Window:
    """Snap the onset and weight the rows.

    Args:
        times: starts of the rows, rising.
        step: seconds that a row covers.
        target: what shows the symptom.
        told: when it was said to have begun, in seconds since the epoch.
    """
    level = array(target.level)
    scale = step / 60.0 if step < 60.0 else 1.0  # finer rows are of younger systems, whose past is shorter
    onset = _snap(times, level, step, told)
    history = times + step <= onset
    near = history & (times >= onset - max(BASELINE_S * scale, FEWEST_ROWS * step))
    baseline = near if np.isfinite(level[near]).any() else history
    since = ~history
    usual = median(level[baseline])
    worse = np.where(since & np.isfinite(level), level - usual, 0.0)
    weights = np.clip(np.nan_to_num(worse), 0.0, None)
    if not weights.any():
        weights = since.astype(float)
    return Window(onset, baseline, history, weights)


def measure(kind: Kind, measured: Measured, window: Window) -> Change:
    """How a service's level moved; NaN levels where it has no data before or since."""
    level, requests = array(measured.level), array(measured.requests)
    before = median(level[window.baseline])
    if np.isnan(before):
        before = median(level[window.history])
    now = _mean(level, window.weights)
    number = _mean(np.nan_to_num(requests), window.weights)
    if not (np.isfinite(before) and np.isfinite(now)):
        return Change(before, now, number, 0.0)
    variance = 2 * spread(level[window.history]) ** 2 + FLOOR[kind] ** 2
    if kind == "latency":
        variance += (LEVEL_SHARE * before) ** 2
    else:  # a share of few requests jumps; half a failure is added, since none in few proves little
        trials = max(1.0, number)
        share = min(1.0, (max(before, 0.0) * trials + 0.5) / (trials + 1.0))
        variance += share * (1.0 - share) / trials
    return Change(before, now, number, float((now - before) / np.sqrt(variance)))


def rose(rows: Rows, window: Window) -> tuple[float, float]:
    """Levels before and since of a figure that is nobody's request, such as CPU; NaN where there is no data."""
    level = array(rows)
    before = median(level[window.baseline])
    return (median(level[window.history]) if np.isnan(before) else before), _mean(level, window.weights)


def latest(rows: Rows) -> float:
    """The level of the two newest rows with data; NaN where there are none."""
    level = array(rows)
    return median(level[np.flatnonzero(np.isfinite(level))[-2:]])


def back_to_usual(kind: Kind, measured: Measured, window: Window) -> bool:
    """Whether the two newest rows with data are as they were before."""
    level = array(measured.level)
    newest = np.flatnonzero(np.isfinite(level) & ~window.history)[-2:]
    if len(newest) < 2 or not window.weights.any():
        return False
    weights = np.zeros(len(level))
    weights[newest] = 1.0
    worst = float(np.nanmax(np.where(window.history, np.nan, level)))
    latest = measure(kind, measured, Window(window.onset, window.baseline, window.history, weights))
    return latest.z < 2.0 and worst > latest.now


def spread(values: Floats) -> float:
    """The usual deviation, from the quantiles .05 and .95; 0 where there are fewer than two values."""
    known = values[np.isfinite(values)]
    if len(known) < 2:
        return 0.0
    low, high = np.quantile(known, (0.05, 0.95))
    return float(high - low) / SIGMAS_BETWEEN


def median(values: Floats) -> float:
    """Of the values that are there; NaN for none."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def array(rows: Rows) -> Floats:
    """Rows for numpy; infinities, which a division by nothing gives, count as no data."""
    values = np.asarray(rows, dtype=float)
    return np.where(np.isfinite(values), values, np.nan)


def _snap(times: Floats, level: Floats, step: float, told: float) -> float:
    """The start of the row in which the target worsened most, near the told time; else the told time."""
    # Of a young system a quarter of its life is left, to be what it was before.
    before = min(SEARCH_S, 0.75 * (told - times[0])) if len(times) else 0.0
    candidates = np.flatnonzero((times + step > told - before) & (times <= told + AHEAD_S) & np.isfinite(level))
    usual = spread(level[times + step <= told - before])
    # Of a time that is now there are no rows since: the newest ones are asked about instead.
    newest = float(times[-FEWEST_ROWS]) if len(times) >= FEWEST_ROWS else told
    best, onset = WORTH_SNAPPING * usual, min(told, newest)
    for number in candidates:
        recent = np.flatnonzero((times < times[number]) & (times >= times[number] - BASELINE_S) & np.isfinite(level))
        if not len(recent):
            continue
        worse = level[number] - median(level[recent[-FEWEST_ROWS:]])
        if worse > best:
            best, onset = worse, float(times[number])
    return onset


def _mean(values: Floats, weights: Floats) -> float:
    known = np.isfinite(values) & (weights > 0)
    return float(np.average(values[known], weights=weights[known])) if known.any() else float("nan")
