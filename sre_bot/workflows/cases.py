"""The life of a case: its card, its investigation, its end.

A workflow runs for each revision of a case and does whatever the case asks for by then, so it does not matter which
events led there, in which order, or how often one of them is done again: make the card show what is known, ask the
agent what was not asked yet, say once that it is over.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sre_bot.catalog import Catalog
from sre_bot.errors import LedgerError, Refused
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import Approval, ApprovalState, Turn
from sre_bot.incidents.paging import Case, Urgency
from sre_bot.settings import IncidentSettings
from sre_bot.tools.publications import POSTMORTEM
from sre_bot.workflows import wording
from sre_bot.workflows.engine import Engine
from sre_bot.workflows.intake import CASE, Intake
from sre_bot.workflows.people import Board, Card, Prompt
from sre_bot.workflows.storms import symptoms

log = logging.getLogger(__name__)

SOURCES = {"pd": "PagerDuty", "am": "Prometheus"}
"""Whose page an incident's link leads to; Alertmanager's alerts name the rule's graph in Prometheus."""
LONGEST_WAIT = 1800.0  # seconds between two questions of the bot about one case at most
PUBLISHING = timedelta(seconds=90)
"""How long a call that publishes may be under way; one that is older died with its process."""
LOOK_EVERY = 0.2  # seconds between two looks whether it has ended


class Desk(Protocol):
    """Where the agent is asked."""

    async def ask(self, prompt: Prompt, urgency: Urgency) -> bool:
        """Record a prompt and see that it is answered; False for a repeated one. Raises LedgerError."""


class CaseWork:
    """Does what cases ask for.

    Args:
        ledger: cases, and what was answered about them.
        engine: runs the workflow; `define` must come before its `open`.
        intake: starts it.
        board: where cards are.
        desk: asks the agent.
        catalog: who owns what.
        settings: what happens by itself.
        boot: names this process's life: a card that another life meant to post may be there already.
        team: id of the Slack workspace.
        can_acknowledge: whether PagerDuty can be told.
        silences: sources that can be told to be quiet.
        closed: told, at least once, where an episode is over (channel, thread, a name for the episode): what is offered
            beside the card may be done by now. Raises LedgerError.
    """

    def __init__(
        self,
        ledger: Ledger,
        engine: Engine,
        intake: Intake,
        board: Board,
        desk: Desk,
        catalog: Catalog,
        settings: IncidentSettings,
        *,
        boot: str,
        team: str,
        can_acknowledge: bool = False,
        silences: frozenset[str] = frozenset(),
        closed: Callable[[str, str, str], Awaitable[None]] | None = None,
    ) -> None:
        self._ledger = ledger
        self._engine = engine
        self._intake = intake
        self._board = board
        self._desk = desk
        self._catalog = catalog
        self._settings = settings
        self._boot = boot
        self._team = team
        self._can_acknowledge = can_acknowledge
        self._silences = silences
        self.closed = closed
        self._telling: set[asyncio.Task[None]] = set()
        self.refusal = ""
        """Why the last card was refused; empty where it was shown."""

    def define(self) -> None:
        """Make the workflow known to the engine."""
        self._engine.define(CASE, self.advance)

    async def advance(self, case_id: int, revision: int, due: int = 0) -> None:
        """The workflow: everything that a case asks for, up to a revision and beyond.

        Args:
            case_id: the case.
            revision: what has to be done at least; 0 for whatever it asks now.
            due: after so many questions the next one was put off until now.
        """
        case = await self._ledger.cases.get(case_id)
        if case is None or 0 < revision <= case.revision <= case.shown_revision:
            return  # pruned, or another revision's workflow did this one's work
        boot = await self._engine.remember("intent", self._boot)
        seen = 0

        async def show(tried: int) -> None:
            nonlocal seen
            # Another attempt may have posted the card and not come to say so.
            seen = await self._show(case_id, search=tried > 0 or boot != self._boot or revision > 1)

        async def ask(_tried: int) -> None:
            await self._ask(await self._case(case_id), due)

        async def end(tried: int) -> None:
            await self._tell_end(await self._case(case_id), search=tried > 0 or boot != self._boot)

        async def done(_tried: int) -> None:
            await self._ledger.cases.shown(case_id, max(seen, revision))
            await self._intake.go_on(case_id)

        await self._engine.step("show", show)
        await self._engine.step("ask", ask)
        await self._engine.step("end", end)
        await self._engine.step("done", done)

    async def _show(self, case_id: int, *, search: bool) -> int:
        """Make the card show the case; gives the revision that it shows."""
        channel = ""

        async def now() -> Card:
            nonlocal channel
            card = await self._card(case_id)
            channel = card.case.channel
            return card

        try:
            shown = await self._board.show(now, search=search)
        except Refused as error:
            self.refusal = str(error)
            raise
        self.refusal = ""
        if shown.ts != (await self._case(case_id)).thread_ts:
            await self._ledger.cases.posted(case_id, channel, shown.ts)
        return shown.revision

    async def background(self, channel: str, thread_ts: str) -> str:
        """What monitoring said of the incidents whose card begins a thread; empty where it is no such thread."""
        case = await self._ledger.cases.at(channel, thread_ts)
        return wording.background(case) if case else ""

    def changed(self, channel: str, thread_ts: str) -> None:
        """A run in a thread has begun or ended: where it is a card's, the card says so."""
        task = asyncio.create_task(self._touch(channel, thread_ts), name=f"card of {thread_ts}")
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def close(self) -> None:
        """Wait for what cards have to be told of."""
        await asyncio.gather(*self._telling)

    async def _touch(self, channel: str, thread_ts: str) -> None:
        try:
            if await self._ledger.cases.at(channel, thread_ts) and (
                touched := await self._ledger.cases.touch(channel, thread_ts)
            ):
                await self._intake.see_to(*touched)
        except LedgerError as error:
            log.warning("the card of %s %s is told later: %s", channel, thread_ts, error)

    async def _case(self, case_id: int) -> Case:
        case = await self._ledger.cases.get(case_id)
        if case is None:
            raise LedgerError(f"Case {case_id} is gone.")
        return case

    async def _turns_of(self, case: Case) -> list[Turn]:
        thread = await self._ledger.find_thread(case.channel, case.thread_ts) if case.thread_ts else None
        return await self._ledger.turns_of(thread.id) if thread else []

    async def _approvals_of(self, case: Case) -> list[Approval]:
        return await self._ledger.approvals.of_thread(case.channel, case.thread_ts) if case.thread_ts else []

    async def _card(self, case_id: int) -> Card:
        return await self.describe(await self._case(case_id))

    async def describe(self, case: Case) -> Card:
        """What people see of a case; raises LedgerError."""
        approvals = await self._approvals_of(case)
        links = {f"Open in {SOURCES[case.first.source]}": case.first.url, "Post-mortem": wording.postmortem(approvals)}
        service = self._catalog.services.get(case.first.service)
        sources = {each.source for each in case.incidents if each.open}
        return Card(
            case=case,
            owner=service.owner if service else "",
            escalation=service.escalation if service else "",
            progress=wording.progress(await self._turns_of(case), approvals),
            can_acknowledge=self._can_acknowledge and "pd" in sources,
            can_silence=bool(self._silences & sources),
            links={label: address for label, address in links.items() if address},
        )

    async def _ask(self, case: Case, due: int) -> None:
        """Ask the agent, where something is wrong that it was not asked about."""
        if not (self._settings.auto_investigate and case.open and case.thread_ts):
            return
        now_wrong = symptoms(case)
        if not set(now_wrong) - set(case.symptoms_asked):
            return
        wait = self._pause(case)
        # By the clock of another replica it may still be a moment too early for what that one has put off.
        if wait > 0 and due != case.asked:
            key = f"case:{case.id}:again:{case.asked}"
            await self._engine.start(CASE, case.id, 0, case.asked, key=key, partition=str(case.id), delay=wait)
            return
        number = case.asked + 1
        text = wording.question(case, number)
        # The turn comes first, and is told by its number: a crash in between asks again, which changes nothing.
        prompt = Prompt(self._team, case.channel, case.thread_ts, f"auto:{number}", "", text)
        await self._desk.ask(prompt, case.urgency)
        known = dict.fromkeys([*case.symptoms_asked, *now_wrong])
        await self._ledger.cases.ask(case.id, number, list(known))

    def _pause(self, case: Case) -> float:
        """Seconds until the next question may be asked: each time twice as long, or a storm would ask for ever."""
        if case.asked_at is None:
            return 0.0
        gap = min(self._settings.ask_again * 2.0 ** (case.asked - 1), LONGEST_WAIT)
        return (case.asked_at + timedelta(seconds=gap) - datetime.now(UTC)).total_seconds()

    async def _published(self, case: Case) -> list[Approval]:
        """The approvals, once none is publishing: such a call resolves first, and says then where the page is."""
        while True:
            approvals = await self._approvals_of(case)
            if not any(map(_is_publishing, approvals)):
                return approvals
            await asyncio.sleep(LOOK_EVERY)

    async def _tell_end(self, case: Case, *, search: bool) -> None:
        """Say once for each episode that it is over."""
        if case.open or case.told_episode >= case.episode or not case.thread_ts:
            return
        approvals = await self._published(case)
        text = wording.closing(case, await self._turns_of(case), approvals)
        key = f"case:{case.id}:end:{case.episode}"
        try:
            await self._board.tell(case.channel, case.thread_ts, text, key, search=search)
        except Refused as error:  # nobody can write there any more; the card says that it is over
            log.error("the end of case %s cannot be told: %s", case.id, error)
        if self.closed:
            await self.closed(case.channel, case.thread_ts, f"{case.id}:{case.episode}")
        await self._ledger.cases.told(case.id, case.episode)


def _is_publishing(approval: Approval) -> bool:
    if approval.tool != POSTMORTEM or approval.state not in (ApprovalState.EXECUTING, ApprovalState.CONSUMED):
        return False
    return approval.started_at is not None and approval.started_at + PUBLISHING > datetime.now(UTC)
