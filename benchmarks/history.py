"""An hour of healthy life before a fleet starts, written into Prometheus' storage before it starts.

Who is on call asks about the last hour, and a stack that began a minute ago has nothing to answer. The hour is
extrapolated from the healthy fleet: gauges and quantiles as it shows them, counters rising as fast as between two
scrapes. Prometheus' own first scrape then finds smaller counters, as after every restart of a service.
"""

import asyncio
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from sandbox.prometheus import JOB

LENGTH = 3600  # seconds
INTERVAL = 5  # seconds between samples: a rate over a minute is the same as of a scrape each second
SETTLE = 30.0  # seconds until the quantiles, which look back as far, are those of a fleet that runs
BETWEEN = 10.0  # seconds between the two scrapes
COUNTED = ("_total", "_count", "_sum", "_bucket")

Samples = Mapping[str, float]
"""Value by series, as the exposition format writes it: `name{label="value"}`."""


async def write_healthy_hour(fleet: str, data: Path, settle: float = SETTLE, between: float = BETWEEN) -> None:
    """Look at the fleet at `fleet` and write its past into the data folder of a Prometheus that does not run yet.

    Raises:
        RuntimeError: promtool refused; the message ends with its words.
    """
    after, rates = await rates_between(fleet, settle, between)
    await asyncio.to_thread(write_blocks, list(extrapolate(after, rates, time.time())), data)


async def rates_between(fleet: str, settle: float, between: float) -> tuple[Samples, Mapping[str, float]]:
    """Two looks at a fleet, `between` seconds apart, after `settle` seconds: the second, and how fast counters rose."""
    await asyncio.sleep(settle)
    before = await scrape(fleet)
    began = time.monotonic()
    await asyncio.sleep(between)
    after = await scrape(fleet)
    seconds = time.monotonic() - began
    rates = {series: (value - before.get(series, 0.0)) / seconds for series, value in after.items() if _counts(series)}
    return after, rates


def extrapolate(samples: Samples, rates: Mapping[str, float], end: float) -> Iterator[str]:
    """The hour before `end` in OpenMetrics: what has a rate rises from zero, all else stays as sampled."""
    for series, value in samples.items():
        for age in range(LENGTH, -1, -INTERVAL):
            shown = rates[series] * (LENGTH - age) if series in rates else value
            yield f"{series} {shown} {end - age:.3f}"
    yield "# EOF"


async def scrape(fleet: str) -> Samples:
    """What the fleet shows, with the labels that Prometheus adds."""
    async with aiohttp.ClientSession() as http, http.get(f"{fleet}/metrics") as answer:
        families = list(text_string_to_metric_families(await answer.text()))
    target = {"instance": fleet.removeprefix("http://"), "job": JOB}
    return {
        _series(sample.name, {**sample.labels, **target}): sample.value
        for family in families
        for sample in family.samples
    }


def _series(name: str, labels: Mapping[str, str]) -> str:
    pairs = ",".join(f'{key}="{value}"' for key, value in labels.items())
    return f"{name}{{{pairs}}}"


def _counts(series: str) -> bool:
    return series.partition("{")[0].endswith(COUNTED)


def write_blocks(lines: Iterable[str], data: Path) -> None:
    """Write OpenMetrics lines into the data folder of a Prometheus that does not run.

    Raises:
        RuntimeError: promtool refused; the message ends with its words.
    """
    data.mkdir(parents=True, exist_ok=True)
    file = data.parent / "history.om"
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(file), str(data)]
    written = subprocess.run(command, capture_output=True, text=True, check=False)
    if written.returncode:
        raise RuntimeError(f"promtool could not write the history: {written.stderr[-500:]}")
