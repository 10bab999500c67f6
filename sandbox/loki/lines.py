"""The lines of each tenant, by time."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sandbox.loki.logql import Query

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """One line; `stream` and `metadata` are labels in the order of their names."""

    nanoseconds: int
    text: str
    stream: Labels
    metadata: Labels = ()

    @property
    def labels(self) -> dict[str, str]:
        """Those of its stream and its structured metadata, as an answer shows them."""
        return dict(self.stream) | dict(self.metadata)


@dataclass
class Tenant:
    """Lines in order of time; the same line at the same time in the same stream is one, as in Loki."""

    _lines: list[Line] = field(default_factory=list)

    def push(self, lines: Iterable[Line]) -> None:
        """Add lines; they may be out of order."""
        self._lines = sorted({*self._lines, *lines})

    def between(self, start: int, end: int) -> Sequence[Line]:
        """From `start` (included) to `end` (not included), in nanoseconds."""
        first = bisect_left(self._lines, start, key=lambda line: line.nanoseconds)
        return self._lines[first : bisect_left(self._lines, end, key=lambda line: line.nanoseconds)]


class Lines:
    """All tenants."""

    def __init__(self) -> None:
        self._tenants: defaultdict[str, Tenant] = defaultdict(Tenant)

    def push(self, tenant: str, lines: Iterable[Line]) -> None:
        """Add lines of one tenant."""
        self._tenants[tenant].push(lines)

    def find(self, tenants: Iterable[str], query: Query, start: int, end: int, *, backward: bool) -> Iterator[Line]:
        """Matching lines of several tenants, in order."""
        found = [line for tenant in tenants for line in self._tenants[tenant].between(start, end)]
        for line in sorted(found, key=lambda line: line.nanoseconds, reverse=backward):
            if query.selects(dict(line.stream)) and query.keeps(line.text, line.labels):
                yield line


def labels_of(pairs: Mapping[str, str]) -> Labels:
    """Labels in the order of their names."""
    return tuple(sorted(pairs.items()))
