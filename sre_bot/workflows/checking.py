"""A run's answer with its claims checked: each line is judged as it ends, the verdict when all is said.

What the evidence is, the ledger knows: the hook has kept a result before the model could read it.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sre_bot.agent.events import Event, Notice, Outcome, RunEnded, Steered, TextBreak, TextDelta, ToolStarted
from sre_bot.errors import LedgerError
from sre_bot.evidence.examiner import Assessment, Examiner
from sre_bot.evidence.exhibit import Exhibit
from sre_bot.evidence.report import Verdict
from sre_bot.incidents.ledger import Ledger

log = logging.getLogger(__name__)

Describe = Callable[[str, Mapping[str, Any]], str]
"""A tool's name and arguments -> one line for people."""

UNCHECKED = "⚠️ **The claims could not be checked:** my database did not answer."
COMPLETE = (Outcome.ANSWERED, Outcome.PROPOSED)
MOST_CITED = 24
"""Results that people are offered below an answer."""


class Checking:
    """Follows one run.

    Args:
        ledger: keeps the results.
        thread_id: whose results may be cited.
        services: names of the services there are.
        describe: the line that people read for a call.
    """

    def __init__(self, ledger: Ledger, thread_id: int, services: Sequence[str], describe: Describe) -> None:
        self._ledger = ledger
        self._thread_id = thread_id
        self._describe = describe
        self._examiner = Examiner(services)
        self._line = ""  # as far as it is written
        self._text = ""
        self._known: dict[int, Exhibit] = {}
        self._cited: dict[int, None] = {}
        self._blind = False

    async def take(self, event: Event) -> list[Event]:
        """An event as people should see it: text with a mark at the end of each line that is not borne out."""
        if isinstance(event, TextDelta):
            return [TextDelta(self._note(await self._write(event.text)))]
        if isinstance(event, TextBreak | ToolStarted | Notice | Steered):
            return [*await self._end_line(), event]
        return [event]

    async def finish(self, end: RunEnded) -> tuple[list[Event], RunEnded]:
        """What is to be said below the answer, and the end of the run with all of it."""
        said = await self._end_line()
        # A report that was broken off has not come to what supports it.
        assessment = self._examiner.conclude() if end.outcome in COMPLETE else None
        words = UNCHECKED if self._blind else assessment.words if assessment else ""
        if words:
            said += [TextBreak(), TextDelta(self._note(words))]
        correction = None if self._blind else self._correct(assessment)
        answer = self._text.strip()
        if correction:
            answer = answer.replace(*correction, 1)
        return said, replace(end, answer=answer or end.answer, cited=tuple(self._offer()), correction=correction)

    async def _write(self, text: str) -> str:
        *ended, rest = text.split("\n")
        shown = ""
        for piece in ended:
            shown += piece + await self._judge(self._line + piece) + "\n"
            self._line = ""
        self._line += rest
        return shown + rest

    async def _end_line(self) -> list[Event]:
        mark = await self._judge(self._line)
        self._line = ""
        if mark:
            self._note(mark)
        if self._text and not self._text.endswith("\n\n"):
            self._note("\n\n")
        return [TextDelta(mark)] if mark else []

    async def _judge(self, line: str) -> str:
        """The mark that a line gets."""
        claim = self._examiner.read(line)
        if claim is None or self._blind:
            return ""
        try:
            if missing := [number for number in claim.cites if number not in self._known]:
                self._known |= await self._ledger.exhibits.read(self._thread_id, missing)
        except LedgerError as error:
            log.warning("what an answer in thread %d claims is not checked: %s", self._thread_id, error)
            self._blind = True
            return ""
        self._cited |= dict.fromkeys(number for number in claim.cites if number in self._known)
        # In a thread: results of 40,000 characters take tenths of a second.
        return (await asyncio.to_thread(self._examiner.judge, claim, self._known)).mark

    def _correct(self, assessment: Assessment | None) -> tuple[str, str] | None:
        """The line with a verdict that does not stand, and the line that takes its place."""
        line = self._examiner.headline
        if assessment is None or not assessment.reason or assessment.said is None:
            return None
        instead = f"{Verdict.INCONCLUSIVE.value} (I had said {assessment.said.value})"
        at = line.upper().find(assessment.said.value)
        return line, line[:at] + instead + line[at + len(assessment.said.value) :]

    def _offer(self) -> Iterator[tuple[int, str]]:
        for number in sorted(self._cited)[:MOST_CITED]:
            exhibit = self._known[number]
            yield number, self._describe(exhibit.tool, exhibit.arguments)

    def _note(self, text: str) -> str:
        self._text += text
        return text
