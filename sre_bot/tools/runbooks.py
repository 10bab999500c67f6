"""Runbooks that run: the figures of each step with how to read them, and the options with who does them."""

import asyncio
import re
import time
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from sre_bot.catalog import Catalog
from sre_bot.errors import BadRequest, Refused, TooLarge
from sre_bot.tools.figures import measure
from sre_bot.tools.moments import clock
from sre_bot.tools.runbook_files import Query, Runbook, Step
from sre_bot.tools.series import largest, name_series
from sre_bot.tools.sources import MetricSource
from sre_bot.tools.spec import Access, tool

_FIGURES_SHOWN = 8  # per query


class Runbooks:
    """Tools that follow a runbook."""

    def __init__(self, catalog: Catalog, metrics: MetricSource, runbooks: Mapping[str, Runbook]) -> None:
        self._catalog = catalog
        self._metrics = metrics
        self._runbooks = runbooks

    @tool(Access.READ, title="Runbook", progress="Following the runbook {name}")
    async def execute_runbook(
        self,
        name: Annotated[str, Field(description="A wrong name lists all")],
        phase: Literal["investigate", "remediate"] = "investigate",
        service: Annotated[str | None, Field(description="Default: all services")] = None,
    ) -> str:
        """Follow a runbook: investigate runs its queries, remediate lists the options. Changes nothing."""
        runbook = self._runbooks.get(re.sub(r"[\s_]+", "-", name.strip().lower()).removesuffix(".md"))
        if runbook is None:
            raise BadRequest(f"No runbook {name[:80]!r}. Runbooks: {', '.join(self._runbooks) or 'none'}.")
        services = [service] if service else list(self._catalog.services)
        contacts = [
            f"{each} → {self._catalog.service(each).owner}, {self._catalog.service(each).escalation}"
            for each in services
        ]
        now = time.time()
        header = f"Runbook {runbook.name} ({runbook.title}), phase {phase}, {service or 'all services'}, {clock(now)}"
        body = await self._investigate(runbook, service, now) if phase == "investigate" else _remediate(runbook)
        return "\n".join([header, *body, "Escalation:", runbook.escalation, *contacts])

    async def _investigate(self, runbook: Runbook, service: str | None, now: float) -> list[str]:
        answers = await asyncio.gather(*(self._answer(step, service, now) for step in runbook.steps))
        lines = ["Symptoms:", runbook.symptoms]
        for number, (step, figures) in enumerate(zip(runbook.steps, answers, strict=True), 1):
            lines += [f"{number}. {step.question}", *(f"   {figure}" for figure in figures)]
            lines += [f"   Reading: {step.reading}"] if step.reading else []
        return [*lines, f"Next: execute_runbook name={runbook.name} phase=remediate"]

    async def _answer(self, step: Step, service: str | None, now: float) -> list[str]:
        return list(await asyncio.gather(*(self._figures(query, service, now) for query in step.queries)))

    async def _figures(self, query: Query, service: str | None, now: float) -> str:
        """`title: api-server 95 %, postgres 7 %`, largest first."""
        try:
            found = await self._metrics.query(query.promql.replace("$service", service or ".+"), now)
        except (Refused, TooLarge) as error:
            return f"{query.title}: FAILED ({error})"
        if not found:
            return f"{query.title}: NO DATA"
        series = largest(found)[:_FIGURES_SHOWN]
        _, names = name_series(series)
        figures = [f"{label} {measure(one.value, query.unit)}" for label, one in zip(names, series, strict=True)]
        left_out = [f"and {len(found) - len(series)} more, smaller"] if len(found) > len(series) else []
        return f"{query.title}: {', '.join(figures + left_out)}"


def _remediate(runbook: Runbook) -> list[str]:
    return ["Options (nothing was changed; `Person:` is a step that a person does):", runbook.remediation]
