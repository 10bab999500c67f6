"""The ranking of suspects: which service broke first, computed from the topology and the figures."""

import asyncio
import time
from typing import Annotated, Literal

from pydantic import Field

from sre_bot.catalog import Catalog
from sre_bot.errors import NotConfigured
from sre_bot.root_cause.live import PATIENCE_S, read_observations
from sre_bot.root_cause.observations import Ranking
from sre_bot.tools.moments import parse_moment
from sre_bot.tools.sources import MetricSource
from sre_bot.tools.spec import Access, tool
from sre_bot.tools.suspects_report import ANSWER_LIMIT, report_suspects


class RootCauses:
    """The tool that ranks.

    Args:
        catalog: the topology, and which queries are read.
        metrics: answers PromQL.
        patience: seconds for all queries together.
    """

    def __init__(self, catalog: Catalog, metrics: MetricSource, patience: float = PATIENCE_S) -> None:
        self._catalog = catalog
        self._metrics = metrics
        self._patience = patience

    @tool(
        Access.READ,
        title="Suspects",
        progress="Ranking what broke first for {service|all services}",
        limit=ANSWER_LIMIT,
    )
    async def rank_suspects(
        self,
        service: Annotated[str | None, Field(description="Where it shows")] = None,
        symptom: Literal["latency", "errors"] | None = None,
        at: Annotated[str | None, Field(description="When it began; default now")] = None,
    ) -> str:
        """Rank which service broke first, by the extra time or errors its dependencies do not explain: a lead."""
        wanted = self._catalog.root_cause
        if wanted is None:
            raise NotConfigured(
                "NOT CONFIGURED: services.yaml has no section root_cause, so nothing can be ranked. Compare the "
                "services with get_service_health and query_metrics."
            )
        if service:
            self._catalog.service(service)
        now = time.time()
        told = parse_moment(at, now) if at else now
        began = time.monotonic()
        reading = await read_observations(wanted, self._catalog.signals, self._metrics, told, now, self._patience)
        observed = {kind: rows for kind, rows in reading.observed.items() if symptom in (None, kind)}
        graph = {name: entry.depends_on for name, entry in self._catalog.services.items()}

        def compute() -> tuple[Ranking, ...]:
            from sre_bot.root_cause.choice import rank_symptoms  # numpy; a server that ranks nothing does without

            return rank_symptoms(observed, graph, service, told)

        # In a thread: other reads go on meanwhile.
        rankings = await asyncio.to_thread(compute) if observed else ()
        return report_suspects(rankings, reading, now, time.monotonic() - began)
