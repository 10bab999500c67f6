"""Figures with their units, short enough for a model's context: three significant digits, never false precision."""

import math
from dataclasses import dataclass
from typing import Self

from sre_bot.catalog import Severity, Signal, Unit

_EXACT = 1_000_000  # whole numbers below it are shown as they are: they are counts
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def figure(value: float) -> str:
    """`0.0123`, `85.2`, `12345`, `1.23e7`; `NaN` and `+Inf` as Prometheus writes them."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == int(value) and abs(value) < _EXACT:
        return str(int(value))
    if 1e-4 <= abs(value) < _EXACT:
        rounded = float(f"{value:.3g}")
        return str(int(rounded)) if rounded == int(rounded) else f"{rounded:f}".rstrip("0")
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def measure(value: float | None, unit: Unit) -> str:
    """A figure with its unit, `33.1 %`, `1200 ms`, `85.2/s`; NO DATA where there is none."""
    if value is None or math.isnan(value):
        return "NO DATA"
    if unit == "ratio":
        return f"{figure(value * 100)} %"
    if unit == "bytes":
        return _binary(value)
    return figure(value) + {"ms": " ms", "per_second": "/s", "count": ""}[unit]


def crossed(signal: Signal, severity: Severity) -> str:
    """The threshold that a figure is beyond, and the one that is still ahead: `(> 5 %)`, `(> 1 %; critical > 5 %)`."""
    limits = ((">", signal.critical), ("<", signal.critical_below))
    critical = " or ".join(f"{sign} {measure(limit, signal.unit)}" for sign, limit in limits if limit is not None)
    if severity is Severity.CRITICAL:
        return f"({critical})"
    return f"(> {measure(signal.warning, signal.unit)}; critical {critical})"


@dataclass(frozen=True)
class Scale:
    """One unit for all figures of an axis: what values are multiplied by, and what is written behind them."""

    factor: float
    unit: str

    @classmethod
    def of(cls, unit: str | None, largest: float) -> Self:
        """The scale for a unit of the catalog, or `s`; bytes are counted in the unit that suits the largest of them."""
        if unit == "bytes":
            power = min(int(math.log(largest, 1024)), len(_BINARY) - 1) if largest >= 1 else 0
            return cls(1024.0**-power, f" {_BINARY[power]}")
        return {
            "ratio": cls(100.0, " %"),
            "ms": cls(1.0, " ms"),
            "s": cls(1.0, " s"),
            "per_second": cls(1.0, "/s"),
        }.get(unit or "", cls(1.0, ""))

    def show(self, value: float) -> str:
        """A figure of the axis, such as `33.1 %`."""
        return figure(value) + self.unit


def _binary(value: float) -> str:
    size, unit = value, 0
    while abs(size) >= 1024 and unit < len(_BINARY) - 1:
        size, unit = size / 1024, unit + 1
    return f"{figure(size)} {_BINARY[unit]}"
