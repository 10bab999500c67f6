"""A board that remembers what hung on it, and fails when it is told to; and a desk where the agent is asked."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import uuid4

from sre_bot.errors import Refused, Unreachable
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.paging import Urgency
from sre_bot.workflows.people import Card, Prompt, Shown

BEFORE, AFTER, REFUSED = "before", "after", "refused"
"""A call fails before it is applied, after it was applied, or is refused."""


@dataclass
class Wall:
    """Where cards hang.

    Attributes:
        cards: what each message has shown, the newest last, by its timestamp.
        told: lines in threads, by their keys; twice there if they were posted twice.
        faults: what becomes of the next calls; empty for success.
        closed: channels that take nothing.
    """

    cards: dict[str, list[Card]] = field(default_factory=dict)
    told: list[tuple[str, str]] = field(default_factory=list)
    faults: deque[str] = field(default_factory=deque)
    closed: set[str] = field(default_factory=set)

    async def show(self, now: Callable[[], Awaitable[Card]], *, search: bool) -> Shown:
        await now()  # as the real one: once to know where, and again when its turn has come
        fault = self._begin()
        card = await now()
        if card.case.channel in self.closed:
            raise Refused(f"Slack does not take cards in {card.case.channel}.", 200)
        ts = card.case.thread_ts or (self._find(card) if search else None) or f"{len(self.cards) + 1}.0"
        self.cards.setdefault(ts, []).append(card)
        self._end(fault)
        return Shown(ts, card.case.revision)

    async def tell(self, channel: str, thread_ts: str, text: str, key: str, *, search: bool) -> None:
        fault = self._begin()
        if not (search and key in dict(self.told)):
            self.told.append((key, text))
        self._end(fault)

    def of(self, case_id: int) -> list[str]:
        """The messages that are cards of a case: one, or something is wrong."""
        return [ts for ts, shown in self.cards.items() if shown[-1].case.id == case_id]

    def newest(self, ts: str = "1.0") -> Card:
        return self.cards[ts][-1]

    def _find(self, card: Card) -> str | None:
        return next(iter(self.of(card.case.id)), None)

    def _begin(self) -> str:
        fault = self.faults.popleft() if self.faults else ""
        if fault == BEFORE:
            raise Unreachable("Slack is away.")
        if fault == REFUSED:
            raise Refused("Slack refuses.", 200)
        return fault

    def _end(self, fault: str) -> None:
        if fault == AFTER:
            raise Unreachable("Slack did not answer.")


class AskedOnly:
    """Records what the agent is asked, as `Turns` does, and lets nobody answer."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.prompts: list[tuple[Prompt, Urgency]] = []

    async def ask(self, prompt: Prompt, urgency: Urgency) -> bool:
        turn_id = uuid4()
        thread = await self._ledger.thread(prompt.channel, prompt.thread_ts, team=prompt.team, started_by=prompt.author)
        turn = await self._ledger.queue_turn(
            thread.id, turn_id=turn_id, prompt_ts=prompt.ts, author="", prompt=prompt.text, urgency=urgency
        )
        if turn.id == turn_id:
            self.prompts.append((prompt, urgency))
        return turn.id == turn_id

    @property
    def texts(self) -> list[str]:
        return [prompt.text for prompt, _ in self.prompts]
