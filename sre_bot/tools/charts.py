"""Charts: metrics as a picture that people in the thread and the model look at, and in words for who cannot."""

import asyncio
import re
import time
from typing import Annotated

from pydantic import Field

from sre_bot.catalog import Catalog, Signal
from sre_bot.clients.deployments import Deployment
from sre_bot.errors import BackendError, BadRequest
from sre_bot.tools.chart import DRAWN_SERIES, describe_chart, plan_chart
from sre_bot.tools.drawing import draw
from sre_bot.tools.hints import explain_absence
from sre_bot.tools.moments import clock
from sre_bot.tools.query import fetch_window, plan_window, unit_of
from sre_bot.tools.series import Window
from sre_bot.tools.sources import DeploymentSource, MetricSource
from sre_bot.tools.spec import Access, Answer, shorten, tool

LARGEST_IMAGE = 350_000
"""Bytes: base64, and sent twice on one line by the CLI, more would end a session with the SDK's default buffer."""

_TITLE_LIMIT = 80
_DEPLOYMENTS = 50  # read, newest first
_DEPLOYMENTS_TIMEOUT = 5.0  # seconds; a chart without markers is better than none


class Charts:
    """Tools that draw.

    Args:
        catalog: signals with their units and thresholds.
        metrics: answers PromQL.
        deployments: what is marked on the time axis; None where there is no source.
    """

    def __init__(self, catalog: Catalog, metrics: MetricSource, deployments: DeploymentSource | None = None) -> None:
        self._catalog = catalog
        self._metrics = metrics
        self._deployments = deployments

    @tool(Access.READ, title="Chart", progress="Drawing {query}", timeout=30.0)
    async def plot_metrics(
        self,
        query: Annotated[str, Field(description="PromQL, or a signal such as error_rate")],
        start: str | None = None,
        end: str | None = None,
        title: str | None = None,
    ) -> Answer | str:
        """Show people a chart, with thresholds and deployments."""
        now = time.time()
        if not query.strip():
            raise BadRequest(f"query is empty. Give PromQL or a signal: {', '.join(self._catalog.signals)}.")
        signal = self._signal(query)
        promql = signal.query if signal else query
        window, _ = plan_window(start, end, None, now)
        series, count = await fetch_window(self._metrics, promql, window)
        if not series:
            return await self._absence(promql, window, now)
        deployments, trouble = await self._deployed(window)
        heading = shorten(title or "", _TITLE_LIMIT) or (signal.title if signal else shorten(query, _TITLE_LIMIT))
        unit = signal.unit if signal else unit_of(promql)
        chart = plan_chart(heading, series, window, unit, signal, deployments)
        if chart is None:
            return f"NO DATA: the largest {DRAWN_SERIES} of {count} series hold only NaN or infinity; nothing is drawn."
        lines = [*describe_chart(chart, series, count, now), *trouble]
        # In a thread: other reads go on meanwhile.
        image = await asyncio.to_thread(draw, chart)
        if len(image) > LARGEST_IMAGE:
            return "\n".join([*lines, f"NOT SHOWN: the picture has {len(image):,} bytes. Draw fewer series."])
        return Answer("\n".join(lines), image=image)

    def _signal(self, query: str) -> Signal | None:
        """The catalog's signal that is named or whose PromQL is given."""
        asked = "".join(query.split())
        named = self._catalog.signals.get(asked)
        same = (signal for signal in self._catalog.signals.values() if "".join(signal.query.split()) == asked)
        return named or next(same, None)

    async def _deployed(self, window: Window) -> tuple[list[Deployment], list[str]]:
        """Deployments since the window's start, and why there are none where that is not known."""
        if self._deployments is None:
            return [], []
        try:
            async with asyncio.timeout(_DEPLOYMENTS_TIMEOUT):
                return list(await self._deployments.recent(None, window.start, _DEPLOYMENTS)), []
        except BackendError as error:
            return [], [f"deployments are not marked: {error}"]
        except TimeoutError:
            return [], [f"deployments are not marked: no answer within {_DEPLOYMENTS_TIMEOUT:g} s"]

    async def _absence(self, promql: str, window: Window, now: float) -> str:
        when = f"from {clock(window.start, now)} to {clock(window.end, now)}"
        why = await explain_absence(self._metrics, promql, when)
        known = f" Signals: {', '.join(self._catalog.signals)}." if re.fullmatch(r"\w+", promql.strip()) else ""
        return f"{why}{known}"
