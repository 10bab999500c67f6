"""Made-up systems whose figures follow from what each service does itself, so that the true cause is known."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sre_bot.root_cause.observations import Kind, Measured, Observations

NAN = float("nan")
STEP = 60.0
START = 1_800_000_000.0
PAST, SINCE = 60, 10  # rows


@dataclass
class System:
    """Services that call others once per request.

    Attributes:
        calls: who calls whom; no circles, for time would not end.
        own: seconds, or the share of failures, that each service adds by itself.
        broken: what it adds since the onset, where that differs.
        requests: per row, at the entrance.
    """

    calls: Mapping[str, Sequence[str]]
    own: Mapping[str, float]
    broken: Mapping[str, float] = field(default_factory=dict)
    requests: float = 600.0
    kind: Kind = "latency"
    noise: float = 0.03

    def level(self, name: str, row: int) -> float:
        """What a request to the service takes, those that it calls included."""
        own = self.broken.get(name, self.own[name]) if row >= PAST else self.own[name]
        behind = [self.level(other, row) for other in self.calls.get(name, ())]
        return min(1.0, own + sum(behind)) if self.kind == "errors" else own + sum(behind)

    def observe(self, **more: object) -> Observations:
        chance = random.Random(7)
        rows = range(PAST + SINCE)
        counts = self._counts()
        services = {
            name: Measured(
                [self.level(name, row) * (1 + self.noise * chance.gauss(0, 1)) for row in rows],
                [counts[name]] * len(rows),
            )
            for name in self.own
        }
        given: dict[str, object] = {
            "kind": self.kind,
            "times": [START + STEP * row for row in rows],
            "step": STEP,
            "services": services,
        }
        return Observations(**{**given, **more})  # type: ignore[arg-type]

    def _counts(self) -> dict[str, float]:
        called = {other for others in self.calls.values() for other in others}
        counts = dict.fromkeys(self.own, 0.0)

        def send(name: str) -> None:
            counts[name] += self.requests
            for other in self.calls.get(name, ()):
                send(other)

        for name in self.own:
            if name not in called:
                send(name)
        return counts


ONSET = START + PAST * STEP
SHOP_CALLS = {"web": ["cart", "users"], "cart": ["stock"], "users": [], "stock": []}
SHOP_OWN = {"web": 0.02, "cart": 0.03, "users": 0.01, "stock": 0.015}


def shop(kind: Kind = "latency", /, **broken: float) -> System:
    own = SHOP_OWN if kind == "latency" else dict.fromkeys(SHOP_OWN, 0.001)
    return System(SHOP_CALLS, own, broken, kind=kind)
