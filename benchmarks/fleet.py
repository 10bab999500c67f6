"""How much load the simulated fleet sustains, and what that costs in processor time.

A load is sustained while nearly all of it is answered within the catalog's warning thresholds. Two things can end that:
the simulated services (they have five workers each, by design) or the one process that simulates them.
"""

import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import yaml
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.footprint import cpu_seconds, resident_mb
from benchmarks.tables import Table, spread
from sandbox.processes import Child
from sandbox.stack import CONFIG, ROOT

SHIPPED = 160  # requests per second
LOADS = (SHIPPED, 320, 400, 440, 480, 560)
SETTLE = 6.0  # seconds before figures are taken
WINDOW = 30.0  # seconds: what the quantiles of the fleet look back
KEPT_UP = 0.97  # share of the asked requests that must be answered: a Poisson stream varies
SERVICE = {"service": "api-server"}


@dataclass(frozen=True, slots=True)
class Load:
    """One load: requests per second asked and answered, failed share, P99 in ms, cores used, MB resident."""

    asked: float
    answered: float
    failed: float
    p99_ms: float
    cores: float
    resident: float

    @property
    def sustained(self) -> bool:
        """Whether nearly all was answered, and within the thresholds that the catalog warns at."""
        error_rate, p99_ms = _warning("error_rate"), _warning("latency_p99")
        return self.answered >= KEPT_UP * self.asked and self.failed < error_rate and self.p99_ms < p99_ms


def measure(runs: int) -> list[Table]:
    """Every load in turn, `runs` times; a run ends after the first load that is not sustained."""
    found: dict[float, list[Load]] = {}
    for _ in range(runs):
        for asked in LOADS:
            load = asyncio.run(try_load(asked, SETTLE, WINDOW))
            print(f"  {load}", file=sys.stderr, flush=True)
            found.setdefault(asked, []).append(load)
            if not load.sustained:
                break
    return [tabulate(found)]


def tabulate(found: dict[float, list[Load]]) -> Table:
    """One row for each load."""
    rows = [
        [
            f"{asked:.0f}" + (" (shipped)" if asked == SHIPPED else ""),
            spread([load.answered for load in loads], 0),
            spread([100 * load.failed for load in loads]),
            spread([load.p99_ms for load in loads], 0),
            spread([load.cores for load in loads]),
            spread([load.resident for load in loads], 0),
            f"{sum(load.sustained for load in loads)} of {len(loads)}",
        ]
        for asked, loads in found.items()
    ]
    header = ["asked/s", "answered/s", "failed, %", "P99, ms", "cores", "resident, MB", "sustained"]
    note = (
        f"Sustained: at least {KEPT_UP:.0%} answered, failures below {_warning('error_rate'):.0%} and P99 below "
        f"{_warning('latency_p99'):.0f} ms, the catalog's warning thresholds. Cores: of the fleet's one process."
    )
    return Table(f"The simulated fleet, {WINDOW:.0f} s at each load", header, rows, note)


async def try_load(asked: float, settle: float, window: float) -> Load:
    """Run a fleet at `asked` requests per second for `settle` seconds, then measure it for `window` seconds."""
    with tempfile.TemporaryDirectory(prefix="sre-bot-bench-") as folder:
        command = [sys.executable, str(ROOT / "scripts" / "metric_logging.py"), "--port", "0", "--seed", "1"]
        command += ["--state-dir", folder, "--requests-per-second", str(asked)]
        fleet = await Child.start("fleet", command, ready=r"listening on (http://\S+)", log_dir=Path(folder))
        try:
            await asyncio.sleep(settle)
            before, cpu, began = await _scrape(fleet.found), cpu_seconds([fleet.pid]), time.monotonic()
            await asyncio.sleep(window)
            after, seconds = await _scrape(fleet.found), time.monotonic() - began
            cores = (cpu_seconds([fleet.pid]) - cpu) / seconds
            resident = resident_mb(fleet.pid)
        finally:
            await fleet.stop()
    answered = {status: after[status] - before.get(status, 0) for status in after if status != "p99"}
    failed = sum(number for status, number in answered.items() if status.startswith("5"))
    total = sum(answered.values())
    return Load(asked, total / seconds, failed / max(1.0, total), after["p99"], cores, resident)


async def _scrape(url: str) -> dict[str, float]:
    """Requests that the entrance has answered, by status, and its P99 under `p99`."""
    async with aiohttp.ClientSession() as http, http.get(f"{url}/metrics") as answer:
        families = list(text_string_to_metric_families(await answer.text()))
    samples = [s for family in families for s in family.samples if SERVICE.items() <= s.labels.items()]
    figures = {s.labels["status"]: s.value for s in samples if s.name == "http_requests_total"}
    p99 = (s.value for s in samples if s.labels.get("quantile") == "0.99")
    return {**figures, "p99": next(p99, float("nan"))}


def _warning(signal: str) -> float:
    """A signal's warning threshold in the catalog."""
    catalog = yaml.safe_load((CONFIG / "services.yaml").read_text(encoding="utf-8"))
    return float(catalog["signals"][signal]["warning"])
