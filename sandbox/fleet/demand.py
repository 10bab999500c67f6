"""What the clients ask for: when each request comes and how much work it needs.

Everything random about a request is drawn here, before it starts, from one Random: with a seed, the
n-th request always comes after the same pause with the same work. What is not replayed is how
requests meet in the queues, because they run on the real clock.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

REQUESTS_PER_SECOND = 160.0
CHECKOUT_SHARE = 0.3
SPREAD = 0.35
"""Sigma of the log-normal query times: the 99th percentile is 2.1 times the mean."""

READS = ("GET /v1/orders", "GET /v1/products", "GET /v1/cart")
CHECKOUT = "POST /v1/checkout"


@dataclass(frozen=True, slots=True)
class Demand:
    """One request of a client. The `*_query` are multiples of a service's mean query time."""

    number: int
    pause_s: float
    route: str
    luck: float
    """In [0, 1): a release's defect strikes when it is below the defect's share."""
    api_query: float
    auth_query: float
    payment_query: float

    @property
    def pays(self) -> bool:
        """Whether api-server has to call payment-svc for it."""
        return self.route == CHECKOUT


def draw_demands(random: Random, per_second: float = REQUESTS_PER_SECOND) -> Iterator[Demand]:
    """An endless Poisson stream of requests, `per_second` on average."""
    number = 0
    while True:
        number += 1
        yield Demand(
            number=number,
            pause_s=random.expovariate(per_second),
            route=CHECKOUT if random.random() < CHECKOUT_SHARE else random.choice(READS),
            luck=random.random(),
            api_query=_around_one(random),
            auth_query=_around_one(random),
            payment_query=_around_one(random),
        )


def _around_one(random: Random) -> float:
    return random.lognormvariate(-SPREAD * SPREAD / 2, SPREAD)
