"""Runbooks that run: the figures of each step with the branch that they point to, and the options with who does them.

A branch is decided by code, from all series of its query and not from those shown; figures that are missing decide
nothing, and that is said. Nothing here changes anything: an option that a tool could do is only named.
"""

import asyncio
import math
import re
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from sre_bot.catalog import Catalog
from sre_bot.clients.prometheus import Series
from sre_bot.errors import BadRequest, Refused, TooLarge
from sre_bot.tools.figures import measure
from sre_bot.tools.moments import clock
from sre_bot.tools.runbook_files import Query, Runbook, Step
from sre_bot.tools.series import largest, name_series
from sre_bot.tools.sources import MetricSource
from sre_bot.tools.spec import Access, tool

_FIGURES_SHOWN = 8  # per query
_REASONS_SHOWN = 4  # figures that a branch is given for

Found = Sequence[Series] | str
"""What a query gave: its series, or in words why there are none."""


class Runbooks:
    """Tools that follow a runbook.

    Args:
        catalog: services, owners and escalation.
        metrics: answers PromQL.
        runbooks: by name.
        changes: whether the model is offered the tools that the options name.
    """

    def __init__(
        self, catalog: Catalog, metrics: MetricSource, runbooks: Mapping[str, Runbook], *, changes: bool = False
    ) -> None:
        self._catalog = catalog
        self._metrics = metrics
        self._runbooks = runbooks
        self._changes = changes

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
        body = await self._investigate(runbook, service, now) if phase == "investigate" else self._remediate(runbook)
        return "\n".join([header, *body, "Escalation:", runbook.escalation, *contacts])

    async def _investigate(self, runbook: Runbook, service: str | None, now: float) -> list[str]:
        answers = await asyncio.gather(*(self._answer(step, service, now) for step in runbook.steps))
        lines = ["Symptoms:", runbook.symptoms]
        for number, (step, figures) in enumerate(zip(runbook.steps, answers, strict=True), 1):
            lines += [f"{number}. {step.question}", *(f"   {figure}" for figure in figures)]
            lines += [f"   Reading: {step.reading}"] if step.reading else []
        return [*lines, f"Next: execute_runbook name={runbook.name} phase=remediate"]

    async def _answer(self, step: Step, service: str | None, now: float) -> list[str]:
        answers = await asyncio.gather(*(self._ask(query, service, now) for query in step.queries))
        found = dict(zip(step.queries, answers, strict=True))
        return [f"{query.title}: {_figures(query, each)}" for query, each in found.items()] + _decide(step, found)

    async def _ask(self, query: Query, service: str | None, now: float) -> Found:
        try:
            found = await self._metrics.query(query.promql.replace("$service", service or ".+"), now)
        except (Refused, TooLarge) as error:
            return f"FAILED ({error})"
        return found or "NO DATA"

    def _remediate(self, runbook: Runbook) -> list[str]:
        calls = "that tool call does it" if self._changes else "that tool call would do it, but is not offered here"
        return [f"Options; nothing was changed. Person: a person does it. Call: {calls}.", runbook.remediation]


def _figures(query: Query, found: Found, shown: int = _FIGURES_SHOWN) -> str:
    """`api-server 95 %, postgres 7 %`, largest first."""
    if isinstance(found, str):
        return found
    series = largest(found)[:shown]
    _, names = name_series(series)
    figures = [f"{label} {measure(one.value, query.unit)}" for label, one in zip(names, series, strict=True)]
    left_out = [f"and {len(found) - len(series)} more, smaller"] if len(found) > len(series) else []
    return ", ".join(figures + left_out)


def _decide(step: Step, found: Mapping[Query, Found]) -> list[str]:
    """The branches that hold, each with the figures that make it so; else what holds otherwise, or why nothing does.

    A figure goes into the first branch that it satisfies. One that is NaN (a share of no requests) goes into none.
    """
    left = {query: [one for one in _series(answer) if not math.isnan(one.value)] for query, answer in found.items()}
    missing = [branch.query.title for branch in step.branches if not left[branch.query]]
    pointed = []
    for branch in step.branches:
        if holding := [one for one in left[branch.query] if branch.holds(one.value)]:
            left[branch.query] = [one for one in left[branch.query] if one not in holding]
            pointed.append(f"=> {branch.conclusion} [{_figures(branch.query, holding, _REASONS_SHOWN)}]")
    if missing:
        pointed.append(f"=> undecided, for want of data: {', '.join(dict.fromkeys(missing))}")
    return pointed or ([f"=> {step.otherwise}"] if step.otherwise else [])


def _series(found: Found) -> Sequence[Series]:
    return () if isinstance(found, str) else found
