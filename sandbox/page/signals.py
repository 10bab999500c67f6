"""The fleet's figures, asked of Prometheus with the queries of config/services.yaml, and what they say about health."""

import asyncio
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from sandbox.page.upstream import Json, Refusal, Upstream

CATALOG = Path(__file__).resolve().parents[2] / "config" / "services.yaml"
CHARTED = ("error_rate", "latency_p99", "db_connections")
WINDOW = 15 * 60  # seconds that a chart shows
STEP = 5  # seconds between its points
RANK = ("ok", "unknown", "warning", "critical")  # the worst last


@dataclass(frozen=True, slots=True)
class Catalog:
    """Services and signals as they are written in the file."""

    services: dict[str, Json]
    signals: dict[str, Json]


@cache
def read_catalog() -> Catalog:
    """The services, and how each signal is measured and judged."""
    written = yaml.safe_load(CATALOG.read_text(encoding="utf-8"))
    return Catalog(written["services"], written["signals"])


class Signals:
    """Asks Prometheus."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def now(self) -> dict[str, dict[str, float]]:
        """Every signal's present figures, by signal and service; what is not measured is not in it."""
        names = list(read_catalog().signals)
        return dict(zip(names, await asyncio.gather(*map(self._instant, names)), strict=True))

    async def history(self) -> Json:
        """The charted signals over `WINDOW` seconds: {start, step, points: {signal: {service: [y or null]}}}."""
        end = int(time.time()) // STEP * STEP
        start = end - WINDOW
        series = await asyncio.gather(*(self._range(name, start, end) for name in CHARTED))
        return {"start": start, "step": STEP, "points": dict(zip(CHARTED, series, strict=True))}

    async def _instant(self, name: str) -> dict[str, float]:
        found = await self._query("query", query=_expression(name))
        return {
            service: figure for metric, point in found if (service := metric) and (figure := _number(point[1])) >= 0
        }

    async def _range(self, name: str, start: int, end: int) -> dict[str, list[float | None]]:
        found = await self._query(
            "query_range", query=_expression(name), start=str(start), end=str(end), step=str(STEP)
        )
        count = WINDOW // STEP + 1
        charts: dict[str, list[float | None]] = {}
        for service, points in found:
            line: list[float | None] = [None] * count
            for at, figure in points:
                value = _number(figure)
                line[round((at - start) / STEP)] = value if value >= 0 else None
            charts[service] = line
        return charts

    async def _query(self, path: str, **query: str) -> list[tuple[str, Any]]:
        answer = await self._upstream.get("prometheus", f"api/v1/{path}", **query)
        key = "value" if path == "query" else "values"
        return [(item["metric"].get("service", ""), item[key]) for item in answer["data"]["result"]]


def judge(figures: dict[str, dict[str, float]], service: str) -> Json:
    """A service's health: {state: ok | warning | critical | unknown, signals: {name: {value, state}}}."""
    catalog = read_catalog()
    skipped = catalog.services[service].get("unmeasured", [])
    signals: Json = {}
    for name, signal in catalog.signals.items():
        if name in skipped:
            continue
        value = figures[name].get(service)
        signals[name] = {"value": value, "state": _state(signal, value)}
    worst = max((each["state"] for each in signals.values()), key=RANK.index, default="unknown")
    return {"state": worst, "signals": signals}


def _state(signal: Json, value: float | None) -> str:
    decides = {"warning", "critical", "critical_below"} & signal.keys() or signal.get("vital")
    if value is None:
        return "unknown" if decides else "ok"
    if value >= signal.get("critical", float("inf")) or value < signal.get("critical_below", float("-inf")):
        return "critical"
    return "warning" if value >= signal.get("warning", float("inf")) else "ok"


def _expression(name: str) -> str:
    return str(read_catalog().signals[name]["query"])


def _number(text: str) -> float:
    """A sample's value; -1 for NaN and infinities, which no signal of ours means."""
    value = float(text)
    return value if abs(value) < float("inf") else -1.0


async def answered(upstream: Upstream) -> tuple[dict[str, dict[str, float]], Json | None, str]:
    """Figures and history; without Prometheus none, and the sentence that says why."""
    signals = Signals(upstream)
    try:
        figures, history = await asyncio.gather(signals.now(), signals.history())
    except Refusal as refusal:
        return {name: {} for name in read_catalog().signals}, None, str(refusal)
    return figures, history, ""
