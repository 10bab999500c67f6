"""Runbooks that run: the figures of each step with the branch that they point to, and the options with who does them.

A branch is decided by code, from all series of its query and not from those shown; figures that are missing decide
nothing, and that is said. A question that figures have answered is not repeated, nor is the service that was asked for.
Nothing here changes anything: an option that a tool could do is only named.
"""

import asyncio
import math
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
from sre_bot.tools.spec import Access, shorten, tool

_FIGURES_SHOWN = 8  # per query
_REASONS_SHOWN = 4  # figures that a branch is given for
_SYMPTOMS_LIMIT = 300  # characters, where runbooks are listed

Found = Sequence[Series] | str
"""What a query gave: its series, or in words why there are none."""


@dataclass(frozen=True)
class _Outcome:
    """A step that was run: its figures, where they point, whether that answers its question, and at which services."""

    figures: Sequence[str]
    pointed: Sequence[str]
    decided: bool
    services: Sequence[str]


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
        name: Annotated[str, Field(description="A wrong name lists all, with symptoms")],
        phase: Literal["investigate", "remediate"] = "investigate",
        service: Annotated[str | None, Field(description="Default: all services")] = None,
    ) -> str:
        """Follow a runbook: investigate runs its queries, remediate lists the options. Changes nothing."""
        runbook = self._runbooks.get(re.sub(r"[\s_]+", "-", name.strip().lower()).removesuffix(".md"))
        if runbook is None:
            raise BadRequest(f"No runbook {name[:80]!r}. {_list(self._runbooks.values())}")
        if service:
            self._catalog.service(service)
        now = time.time()
        asked = [service] if service else []
        if phase == "investigate":
            body, pointed = await self._investigate(runbook, service, now)
            contacts = self._contacts([*asked, *pointed])
        else:
            body, contacts = self._remediate(runbook), self._contacts(asked or self._catalog.services)
        header = f"Runbook {runbook.name}, {phase}, {service or 'all services'}, {clock(now)}"
        return "\n".join([header, *body, f"Escalation: {runbook.escalation}", *contacts])

    def _contacts(self, services: Iterable[str]) -> list[str]:
        """Those of the services that are concerned: of the others, nobody is to be paged."""
        known = {each: self._catalog.services[each] for each in services if each in self._catalog.services}
        told = [f"{name} → {service.owner}, {service.escalation}" for name, service in known.items()]
        return told or ["The figures point to no service; with service, or with phase=remediate, owners are named."]

    async def _investigate(self, runbook: Runbook, service: str | None, now: float) -> tuple[list[str], list[str]]:
        """The steps as lines, and the services that their figures point to."""
        outcomes = await asyncio.gather(*(self._run(step, service, now) for step in runbook.steps))
        lines: list[str] = []
        for number, (step, outcome) in enumerate(zip(runbook.steps, outcomes, strict=True), 1):
            lines += _told(number, step, outcome)
        pointed = [each for outcome in outcomes for each in outcome.services]
        return [*lines, "Next: the same call with phase=remediate"], pointed

    async def _run(self, step: Step, service: str | None, now: float) -> _Outcome:
        answers = await asyncio.gather(*(self._ask(query, service, now) for query in step.queries))
        found = dict(zip(step.queries, answers, strict=True))
        figures = [f"{query.title}: {_figures(query, each, service)}" for query, each in found.items()]
        return _decide(step, found, figures)

    async def _ask(self, query: Query, service: str | None, now: float) -> Found:
        try:
            found = await self._metrics.query(query.promql.replace("$service", service or ".+"), now)
        except (Refused, TooLarge) as error:
            return f"FAILED ({error})"
        return found or "NO DATA"

    def _remediate(self, runbook: Runbook) -> list[str]:
        calls = "that tool call does it" if self._changes else "that tool call would do it, but is not offered here"
        return [f"Options; nothing was changed. Person: a person does it. Call: {calls}.", runbook.remediation]


def _list(runbooks: Iterable[Runbook]) -> str:
    """Every runbook with what speaks for it: the symptoms help to choose, and only then."""
    told = []
    for each in runbooks:
        symptoms = "; ".join(line.removeprefix("- ") for line in each.symptoms.splitlines())
        told.append(f"{each.name} ({each.title}): {shorten(symptoms, _SYMPTOMS_LIMIT)}")
    return "\n".join(["Runbooks and their symptoms:", *told]) if told else "There are no runbooks."


def _told(number: int, step: Step, outcome: _Outcome) -> list[str]:
    """One step: the question where it is open, the figures, where they point, and how to read them."""
    question = [] if outcome.decided else [step.question]
    lead = f"{number}. {' '.join([*question, '; '.join(outcome.figures)])}".rstrip()
    return [lead, *(f"   {each}" for each in (*outcome.pointed, step.reading) if each)]


def _figures(query: Query, found: Found, asked: str | None = None, shown: int = _FIGURES_SHOWN) -> str:
    """`api-server 95 %, postgres 7 %`, largest first; the figure alone where it is the one of the service asked for."""
    if isinstance(found, str):
        return found
    if len(found) == 1 and found[0].labels == {"service": asked}:
        return measure(found[0].value, query.unit)
    series = largest(found)[:shown]
    _, names = name_series(series)
    figures = [f"{label} {measure(one.value, query.unit)}" for label, one in zip(names, series, strict=True)]
    left_out = [f"and {len(found) - len(series)} more, smaller"] if len(found) > len(series) else []
    return ", ".join(figures + left_out)


def _decide(step: Step, found: Mapping[Query, Found], figures: Sequence[str]) -> _Outcome:
    """The branches that hold, each with the figures that make it so; else what holds otherwise, or why nothing does.

    A figure goes into the first branch that it satisfies. One that is NaN (a share of no requests) goes into none.
    """
    left = {query: [one for one in _series(answer) if not math.isnan(one.value)] for query, answer in found.items()}
    missing = [branch.query.title for branch in step.branches if not left[branch.query]]
    one_query = len({branch.query for branch in step.branches}) == 1
    pointed, services = [], []
    for branch in step.branches:
        if holding := [one for one in left[branch.query] if branch.holds(one.value)]:
            left[branch.query] = [one for one in left[branch.query] if one not in holding]
            services += [one.labels.get("service", "") for one in holding]
            obvious = one_query and len(holding) == len(found[branch.query])
            reasons = "" if obvious else f" [{_figures(branch.query, holding, shown=_REASONS_SHOWN)}]"
            pointed.append(f"=> {branch.conclusion}{reasons}")
    if missing:
        pointed.append(f"=> undecided, for want of data: {', '.join(dict.fromkeys(missing))}")
    elif not pointed and step.otherwise:
        pointed.append(f"=> {step.otherwise}")
    return _Outcome(figures, pointed, bool(pointed) and not missing, services)


def _series(found: Found) -> Sequence[Series]:
    return () if isinstance(found, str) else found
