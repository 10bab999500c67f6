"""Figures as people read them: a median with its extremes, in a Markdown table."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The median, and the smallest and largest value where there are several; a dash for none."""
    if not values:
        return "–"  # noqa: RUF001  (the dash that people read as "nothing")
    middle = f"{median(values):,.{digits}f}"
    return f"{middle} ({min(values):,.{digits}f} to {max(values):,.{digits}f})" if len(values) > 1 else middle


@dataclass(frozen=True, slots=True)
class Table:
    """One result: what was measured, its rows, and what must be known to read them."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def markdown(self) -> str:
        """The table under its title, its note below."""
        lines = [f"**{self.title}**", "", _row(self.header), _row(["---"] * len(self.header)), *map(_row, self.rows)]
        return "\n".join([*lines, *(["", self.note] if self.note else [])])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
