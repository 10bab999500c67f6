"""Code proves recovery, not prose: the figures of a changed service before and after, against the catalog's thresholds.

A verdict is RECOVERED where what was breached is not, nothing new is, and requests still come: a service that nobody
calls has no errors either. Whatever cannot be seen makes it INCONCLUSIVE, which is never taken for recovered. With a
verdict goes a chart, and with every other than RECOVERED the sealed way back.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Protocol

from sre_bot.catalog import Catalog, Severity, Signal
from sre_bot.clients.prometheus import Prometheus
from sre_bot.errors import BackendError
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import Approval, ApprovalState
from sre_bot.incidents.paging import Urgency
from sre_bot.settings import VerificationSettings
from sre_bot.tools.figures import measure
from sre_bot.workflows.approvals import ACT
from sre_bot.workflows.closing import Closing
from sre_bot.workflows.engine import Engine
from sre_bot.workflows.people import Prompt
from sre_bot.workflows.turns import Turns
from sre_bot.workflows.verdict_chart import VerdictChart

log = logging.getLogger(__name__)

VERIFY = "verify"
"""Name of the workflow that compares: `approval_id`."""
TRAFFIC = "requests"  # the catalog's signal
VANISHED = 0.2  # of the requests before; with fewer left, their errors say nothing
LOOK_EVERY = 10.0  # seconds between two samples
TWICE = 2  # good samples in a row

Figures = Mapping[str, float]
"""By `service/signal`."""


class Verdict(StrEnum):
    """What the figures say."""

    RECOVERED = "RECOVERED"
    NOT_RECOVERED = "NOT RECOVERED"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict, and why in words."""

    verdict: Verdict
    why: str


class WayBack(Protocol):
    """Offers to take a change back; see `rollback.Rollbacks`."""

    async def offer(self, approval: Approval) -> str:
        """Seal it, once; gives why there is none, in words."""


class Verifier:
    """Samples and compares.

    Args:
        ledger: keeps the verdict.
        engine: waits; `define` must come before its `open`.
        metrics: answers PromQL.
        catalog: signals and thresholds.
        turns: tells the agent.
        chart: shows the figures.
        way_back: offers the rollback.
        settings: when to look.
        team: id of the Slack workspace.
        closing: says what is offered after a recovery; None where nothing is.
    """

    def __init__(
        self,
        ledger: Ledger,
        engine: Engine,
        metrics: Prometheus,
        catalog: Catalog,
        turns: Turns,
        chart: VerdictChart,
        way_back: WayBack,
        settings: VerificationSettings,
        team: str,
        closing: Closing | None = None,
    ) -> None:
        self._ledger = ledger
        self._engine = engine
        self._metrics = metrics
        self._catalog = catalog
        self._turns = turns
        self._chart = chart
        self._way_back = way_back
        self._settings = settings
        self._team = team
        self._closing = closing

    def define(self) -> None:
        """Make the workflow known to the engine."""
        self._engine.define(VERIFY, self.verify)

    async def sample(self, approval: Approval) -> dict[str, float]:
        """The figures of the services that the plan watches; raises BackendError where none can be read."""
        signals = {name: signal for name, signal in self._catalog.signals.items() if signal.decides}
        answers = await asyncio.gather(*(self._metrics.query(signal.query) for signal in signals.values()))
        return {
            f"{series.labels['service']}/{name}": series.value
            for name, answer in zip(signals, answers, strict=True)
            for series in answer
            if series.labels.get("service") in approval.plan.watch
        }

    async def schedule(self, approval: Approval) -> None:
        """Compare once the change has had its time, and the rates their window."""
        if approval.plan.watch:
            await self._engine.start(
                VERIFY,
                approval.id,
                key=f"verify:{approval.id}",
                partition=str(approval.id),
                delay=self._settings.after,
            )

    async def verify(self, approval_id: int) -> None:
        """The workflow: look until it has recovered, or until the time for that is over; then say what is true."""
        steps = {
            "look": self._judge,
            "offer": self._offer,
            "draw": self._draw,
            "share": self._chart.share,
            "tell": self._tell,
        }
        for name, do in steps.items():
            await self._engine.step(name, partial(self._do, do, approval_id))

    async def _do(self, do: Callable[[Approval, int], Awaitable[None]], approval_id: int, tried: int) -> None:
        """One step, on the approval as it is by then."""
        if approval := await self._ledger.approvals.get(approval_id):
            await do(approval, tried)

    async def _judge(self, approval: Approval, _tried: int) -> None:
        if not approval.verdict:
            await self._ledger.approvals.note(approval.id, verdict=await self._look(approval))

    async def _offer(self, approval: Approval, _tried: int) -> None:
        if approval.verdict.startswith(Verdict.RECOVERED):
            return
        why = await self._way_back.offer(approval)
        if why and why not in approval.verdict:
            await self._ledger.approvals.note(approval.id, verdict=f"{approval.verdict}\n{why}")

    async def _draw(self, approval: Approval, tried: int) -> None:
        await self._chart.draw(approval, await self._sample_if_possible(approval), tried)

    async def _tell(self, approval: Approval, _tried: int) -> None:
        key = f"act:{approval.id}:verdict"
        await self._engine.start(ACT, approval.id, key=key, partition=str(approval.act))
        await self._turns.ask(await self._prompt(approval), Urgency.HIGH)

    async def _sample_if_possible(self, approval: Approval) -> dict[str, float] | None:
        try:
            return await self.sample(approval)
        except BackendError as error:
            log.warning("proposal %d: no figures to draw: %s", approval.id, error)
            return None

    async def _look(self, approval: Approval) -> str:
        deadline = time.monotonic() + max(0.0, self._settings.within - self._settings.after)
        good = 0
        while True:
            after, finding = await self._compare(approval)
            good = good + 1 if finding.verdict is Verdict.RECOVERED else 0
            if good >= TWICE or time.monotonic() >= deadline:
                if finding.verdict is Verdict.RECOVERED and good < TWICE:
                    finding = Finding(Verdict.INCONCLUSIVE, "one look was good, but it did not last for two")
                return "\n".join([f"{finding.verdict}: {finding.why}", *self._table(approval.before, after)])
            await asyncio.sleep(LOOK_EVERY)

    async def _compare(self, approval: Approval) -> tuple[Figures, Finding]:
        try:
            after = await self.sample(approval)
        except BackendError as error:
            return {}, Finding(Verdict.INCONCLUSIVE, f"the figures cannot be read now ({error})")
        return after, judge(self._catalog, approval.before, after, approval.plan.watch[0])

    def _table(self, before: Figures, after: Figures) -> list[str]:
        """Every figure that was or is breached, and the traffic."""
        rows = []
        for key in sorted({*before, *after}):
            service, _, name = key.partition("/")
            signal = self._catalog.signals[name]
            severities = [signal.judge(figures.get(key)) for figures in (before, after)]
            if name == TRAFFIC or max(severities) >= Severity.WARNING:
                was, now = (measure(figures.get(key), signal.unit) for figures in (before, after))
                rows.append(f"{service} {signal.title}: {was} → {now}")
        return rows

    async def _prompt(self, approval: Approval) -> Prompt:
        rollback = await self._ledger.approvals.rollback_of(approval.id)
        if rollback and rollback.state is ApprovalState.PENDING:
            offer = f"The card offers people #{rollback.id} ({rollback.plan.summary}) with a button; do not propose it."
        else:
            offer = await self._closing.words(approval) if self._closing else ""
        text = (
            f"Code has compared the figures before and after proposal #{approval.id} ({approval.plan.summary}):\n"
            f"{approval.verdict}\nSay in one or two sentences what that means; where it has not RECOVERED, say what to "
            f"look at next. This verdict is not yours to change. {offer}".rstrip()
        )
        return Prompt(self._team, approval.channel, approval.thread_ts, f"verdict:{approval.id}", "", text)


def judge(catalog: Catalog, before: Figures, after: Figures, changed: str) -> Finding:
    """Compare two samples of the watched services.

    Args:
        catalog: thresholds.
        before: the sample at the approval.
        after: the sample now.
        changed: the service that was changed.
    """
    breached = {key for key, value in before.items() if _severity(catalog, key, value) >= Severity.WARNING}
    breaches = {key for key, value in after.items() if _severity(catalog, key, value) >= Severity.WARNING}
    traffic = f"{changed}/{TRAFFIC}"
    if missing := sorted(key for key in breached if key not in after):
        return Finding(Verdict.INCONCLUSIVE, f"NO DATA now for {', '.join(missing)}")
    if breaches:
        kind = "still breached" if breaches & breached else "newly breached"
        return Finding(Verdict.NOT_RECOVERED, f"{kind}: {', '.join(sorted(breaches))}")
    if not before:
        return Finding(Verdict.INCONCLUSIVE, "there are no figures from before to compare with")
    if before.get(traffic, 0.0) > 0 and after.get(traffic, 0.0) < VANISHED * before[traffic]:
        return Finding(Verdict.INCONCLUSIVE, f"the requests to {changed} have vanished, so their errors say nothing")
    if not breached:
        return Finding(Verdict.INCONCLUSIVE, "nothing was breached before, and nothing is now")
    return Finding(Verdict.RECOVERED, f"no threshold is breached any more; it was {', '.join(sorted(breached))}")


def _severity(catalog: Catalog, key: str, value: float) -> Severity:
    signal: Signal = catalog.signals[key.partition("/")[2]]
    return signal.judge(value)
