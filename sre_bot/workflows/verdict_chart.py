"""The picture that goes with a verdict: the breached signals before and after the change, once in the thread.

It is drawn by code from the figures that were judged. Its file is given to Slack first, where nobody sees it yet, and
its id written down; then it is shown, unless the thread has it. Where there can be no picture the verdict says why: a
verdict never waits long for one.
"""

import asyncio
import logging

from sre_bot.catalog import Catalog
from sre_bot.clients.prometheus import Prometheus
from sre_bot.errors import BackendError, Refused
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import Approval
from sre_bot.tools.before_after import SIGN, BeforeAfter, breached_of, plan_before_after
from sre_bot.tools.deploy_markers import Marker
from sre_bot.tools.drawing import draw
from sre_bot.workflows.people import Attachments

log = logging.getLogger(__name__)

TRIES = 4  # at Slack; beyond it the verdict goes without
ALT_LIMIT = 1_000  # characters. Slack: files.getUploadURLExternal, `alt_txt`
NO_CHART = "No chart: {why}"


class VerdictChart:
    """Draws and shows.

    Args:
        ledger: keeps what was uploaded.
        metrics: answers PromQL.
        catalog: signals and thresholds.
        attachments: the way to the thread.
    """

    def __init__(self, ledger: Ledger, metrics: Prometheus, catalog: Catalog, attachments: Attachments) -> None:
        self._ledger = ledger
        self._metrics = metrics
        self._catalog = catalog
        self._attachments = attachments

    async def draw(self, approval: Approval, after: dict[str, float] | None, tried: int) -> None:
        """Give Slack the picture, where something was or is breached and none was given before.

        Args:
            approval: with its verdict.
            after: the figures now; None where they cannot be read.
            tried: how often this failed before.

        Raises:
            BackendError: try again.
            LedgerError: try again.
        """
        if approval.chart or NO_CHART.format(why="") in approval.verdict:
            return
        if after is None:
            await self._go_without(approval, "the figures cannot be read now.")
            return
        breached = breached_of(self._catalog, approval.before, after)
        if not breached:
            return
        try:
            planned = await plan_before_after(self._metrics, self._catalog, breached, await self._changes(approval))
        except BackendError as error:
            await self._go_without(approval, f"the figures of before cannot be read now ({error}).")
            return
        if not planned.charts:
            await self._go_without(approval, "NO DATA for what was breached.")
            return
        await self._upload(approval, planned, tried)

    async def share(self, approval: Approval, tried: int) -> None:
        """Show what was given to Slack; raises BackendError: try again."""
        if not approval.chart:
            return
        try:
            await self._attachments.share(approval.channel, approval.thread_ts, approval.chart, _title(approval))
        except BackendError as error:
            await self._give_up(approval, error, tried)

    async def _upload(self, approval: Approval, planned: BeforeAfter, tried: int) -> None:
        image = await asyncio.to_thread(draw, *planned.charts)
        words = f"{_title(approval)}. {planned.words}"[:ALT_LIMIT]
        try:
            file_id = await self._attachments.upload(f"verdict-{approval.id}.png", image, words)
        except BackendError as error:
            await self._give_up(approval, error, tried)
        else:
            await self._ledger.approvals.note(approval.id, chart=file_id)

    async def _give_up(self, approval: Approval, error: BackendError, tried: int) -> None:
        if tried + 1 < TRIES and not isinstance(error, Refused):
            raise error
        await self._go_without(approval, f"Slack did not take it ({error}).")

    async def _changes(self, approval: Approval) -> list[Marker]:
        """This act, and the one that it takes back."""
        taken_back = await self._ledger.approvals.get(approval.rolls_back) if approval.rolls_back else None
        return [_mark(each) for each in (taken_back, approval) if each]

    async def _go_without(self, approval: Approval, why: str) -> None:
        log.warning("no chart for the verdict on proposal %d: %s", approval.id, why)
        await self._ledger.approvals.note(approval.id, verdict=f"{approval.verdict}\n{NO_CHART.format(why=why)}")


def _title(approval: Approval) -> str:
    return f"Before and after #{approval.id}"


def _mark(approval: Approval) -> Marker:
    moment = approval.consumed_at or approval.started_at or approval.proposed_at
    return Marker(SIGN, moment.timestamp(), f"#{approval.id} {approval.plan.summary}")
