"""Agent events to one live reply by Slack's native streaming: text that appears as it is written, tool calls as cards.

A stream can only be added to, and an append is not safe to repeat. So what became of one whose answer was lost is read
back, and a message in which anything was in doubt is compared when its stream is over. Whatever cannot be settled, and
whatever Slack refuses, ends the same way: the message is edited until it says what it should. Where no stream can be
started a message is edited from the beginning, so that a reply never waits for one; so is one where an earlier process
may have begun the reply, whose message is found by its key, and whose stream, which has none, is ended first.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from sre_bot.agent.events import Event, RunEnded
from sre_bot.errors import BackendError, Unreachable
from sre_bot.slack.cards.reply import below
from sre_bot.slack.files import Files
from sre_bot.slack.following import Following, Spot
from sre_bot.slack.outbox import TOO_LONG, Outbox, SlackRefused
from sre_bot.slack.pages import Place, cut_at, weigh
from sre_bot.slack.posted import PAGE_BUDGET, PostedPages, Said
from sre_bot.slack.reply import BELOW, WORKING, Flow
from sre_bot.slack.segments import (
    LEFT_TITLE,
    SMALLEST_BUDGET,
    WORKING_TITLE,
    Circumstances,
    Segment,
    Step,
    inline,
    known_text,
    leave,
    next_step,
)
from sre_bot.slack.streams import ENDED, STOPPED_BY_USER, Recipient, Streams, essence

Stop = Callable[[str, str], Awaitable[object]]
"""Ends the run in a thread, given its channel and its first message."""


class StreamedReply(Following):
    """A reply whose messages are streams.

    Args:
        outbox: the way to Slack.
        files: where long answers go.
        streams: the workspace's streams.
        spot: where the reply goes.
        recipient: who sees it grow.
        stop: called when that person stops it with Slack's own button.
        after: timestamp of a message that is older than the reply.
        clock: seconds, from any start, by which it gives up.
    """

    def __init__(
        self,
        outbox: Outbox,
        files: Files,
        streams: Streams,
        spot: Spot,
        recipient: Recipient,
        stop: Stop,
        after: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(outbox, files, spot, clock)
        self._streams = streams
        self._recipient = recipient
        self._stop = stop
        self._after = after
        self._stopping: asyncio.Future[object] | None = None  # a person stopped the stream: nothing more is said
        self._segment: Segment | None = None
        self._edited: PostedPages | None = None  # the segment, where it is no stream
        self._end: Place | None = None  # where the edited segment ends, once that is known
        self._repairs: list[PostedPages] = []
        self._bringing: PostedPages | None = None
        self._next = Segment(0, 0, Place(), 0.0, 0)  # where the next message begins
        self._shown: set[str] = set()  # tool calls whose end people can see
        self._own: set[str] = set()  # timestamps of the streams whose start was answered
        self._budget = PAGE_BUDGET
        self._native = not spot.search
        self._left_behind = spot.search  # an earlier process may have started a stream
        self._held: RunEnded | None = None  # the end of a run whose pictures are not all there yet
        self._lost_start = self._stray = False
        self._done = False

    def show(self, event: Event) -> None:
        """Take an event in; returns at once. A stream only grows, so its end waits for what pictures run into."""
        if isinstance(event, RunEnded) and self._pictures.busy:
            self._held = event
        else:
            super().show(event)

    def _note_picture(self, trouble: str) -> None:
        super()._note_picture(trouble)
        if self._held and not self._pictures.busy:
            super().show(self._held)
            self._held = None

    async def _write(self) -> None:
        try:
            await super()._write()
        finally:
            self._streams.live -= self._is_live

    async def _reconcile(self) -> None:
        self._bringing = None
        if self._left_behind:
            await self._end_left_behind()
        while not self._stopping and not self._done:
            if not await self._advance():
                break
        while self._repairs and not self._stopping:
            await self._bring(self._repairs[0])
            self._repairs.pop(0)
        if self._done and self._stray:
            await self._remove_stray()

    def _worth_another_try(self, error: BackendError) -> bool:
        if self._bringing:
            return self._bringing.worth_another_try(error)
        return not isinstance(error, SlackRefused)

    def _tick(self) -> float:
        return self._streams.tick

    def _patience(self) -> float | None:
        if not self._segment or not self._is_live:
            return None
        return max(self._segment.began + self._streams.max_age - time.monotonic(), 0.0)

    @property
    def _is_live(self) -> bool:
        return bool(self._segment and self._segment.ts and not self._edited and not self._segment.stopped)

    # --- One message after the other ---------------------------------------------------------------------------------

    async def _advance(self) -> bool:
        """The next step of the open message; whether another step is due at once."""
        if not self._segment:
            self._segment = replace(self._next, began=time.monotonic(), cards={})
        segment = self._segment
        if not self._edited and not segment.ts:
            await self._start(segment)
        if self._edited:
            return await self._edit(segment, self._edited)
        return await self._grow(segment)

    async def _start(self, segment: Segment) -> None:
        """Start a stream, or adopt one whose start was answered by nobody; where none may be, edit a message."""
        place = (self._spot.channel, self._spot.thread_ts)
        if self._lost_start:
            segment.ts = await self._streams.find_stray(*place, self._after, self._own.__contains__)
            self._lost_start, self._stray = False, self._stray or not segment.ts
        elif not self._native or not self._streams.may_start():
            self._edited = self._edit_segment(segment, None)
            return
        if not segment.ts:
            # No text: should the answer be lost, and read-back not show the stream, nothing is said twice.
            step = replace(self._step(segment), text="", upto=segment.sent, ends=None)
            segment.began = time.monotonic()
            try:
                segment.ts = await self._streams.start(*place, self._recipient, step.chunks(segment))
            except Unreachable:
                self._lost_start = True
                raise
            except SlackRefused as error:
                self._streams.give_up(error.code)
                self._native = False
                self._edited = self._edit_segment(segment, None)
                return
            step.apply(segment)
        self._streams.live += 1
        self._own.add(segment.ts)
        await self._spot.on_posted(segment.ts)

    async def _grow(self, segment: Segment) -> bool:
        """Add to a stream what there is to say, or end it."""
        if segment.stopped:
            return await self._verify(segment)
        if segment.broken:
            return await self._abandon(segment)
        if segment.pending:
            await self._resolve(segment, segment.pending)
        step = segment.closing or self._step(segment)
        if not step.ends and not step.chunks(segment):
            return False
        if not step.ends:
            await self._streams.turn_to_append()
            step = self._step(segment)
        return await (self._finish(segment, step) if step.ends else self._append(segment, step))

    async def _append(self, segment: Segment, step: Step) -> bool:
        try:
            await self._streams.append(self._spot.channel, str(segment.ts), step.chunks(segment))
        except Unreachable:
            if step.text:  # the rest may be said twice
                segment.pending, segment.doubt = step, True
            raise
        except SlackRefused as error:
            return self._refused(segment, step, error)
        step.apply(segment)
        return False

    async def _finish(self, segment: Segment, step: Step) -> bool:
        """Stop the stream with its last words and what stands below them."""
        more = not self._ends_reply(segment, step)
        blocks = [] if more or segment.bare else below(self._rates, self._text.cited)
        segment.closing = step
        await self._streams.turn_to_stop()
        key = f"{self._spot.key}/{segment.number}"
        chunks = step.chunks(segment)
        try:
            await self._streams.stop(self._spot.channel, str(segment.ts), key, chunks=chunks, blocks=blocks, more=more)
        except Unreachable:
            segment.lost = segment.doubt = True
            raise
        except SlackRefused as error:
            if not (segment.lost and error.code in ENDED):
                return self._refused(segment, step, error)
            # It arrived, or the stream's time was over before: its text tells, and without one nothing does.
            segment.spoiled = segment.spoiled or (bool(chunks) and not essence(step.text))
        step.apply(segment)
        self._over(segment)
        return await self._verify(segment)

    def _refused(self, segment: Segment, step: Step, error: SlackRefused) -> bool:
        """Slack did not take a step of a stream; the next one is another."""
        lost, segment.closing = segment.closing, None
        if error.code == STOPPED_BY_USER:
            self._over(segment)
            self._stopping = asyncio.ensure_future(self._stop(self._spot.channel, self._spot.thread_ts))
        elif error.code in ENDED:
            self._over(segment)
            self._rescue(segment, step)
        elif error.code in TOO_LONG and self._budget > SMALLEST_BUDGET and step.text:
            self._budget = max(self._budget * 2 // 3, SMALLEST_BUDGET)
        elif lost and not segment.bare:
            segment.bare = True
        else:
            segment.broken, self._native = True, False
        return True

    async def _abandon(self, segment: Segment) -> bool:
        """End a stream that takes nothing more, and go on in its message by editing it."""
        await self._streams.turn_to_stop()
        key = f"{self._spot.key}/{segment.number}"
        try:
            await self._streams.stop(self._spot.channel, str(segment.ts), key, more=True)
        except SlackRefused as error:
            if error.code == STOPPED_BY_USER:
                return self._refused(segment, self._step(segment), error)
        self._over(segment)
        self._edited = self._edit_segment(segment, segment.ts)
        return True

    # --- What is in doubt --------------------------------------------------------------------------------------------

    async def _resolve(self, segment: Segment, step: Step) -> None:
        """Find out what became of an append whose answer was lost; wrong guesses are found when the stream is over."""
        text = await self._streams.read(self._spot.channel, self._spot.thread_ts, str(segment.ts))
        before, after = essence(segment.said), essence(segment.said + step.text)
        segment.pending = None
        segment.spoiled = segment.spoiled or before == after
        if text is None or essence(text) != before or before == after:
            step.apply(segment)
        else:
            segment.twice += weigh(step.text)

    async def _verify(self, segment: Segment) -> bool:
        """After the end of a stream in which something was in doubt: does the message say what it should?"""
        step = segment.closing
        assert step  # noqa: S101  (a stream that is stopped had a last step)
        if segment.doubt:
            text = await self._streams.read(self._spot.channel, self._spot.thread_ts, str(segment.ts))
            if segment.spoiled or text is None or essence(text) != essence(segment.said):
                self._rescue(segment, step)
                return True
        self._close(segment, step.ends or Place())
        return True

    def _rescue(self, segment: Segment, step: Step) -> None:
        """Let a message whose stream is over be edited until it says what it should, and go on in the next one."""
        end = step.ends or cut_at(known_text(self._flow(segment)), segment.place, step.upto)[1]
        segment.cards = leave(segment.cards | step.cards)
        ends = self._ends_reply(segment, step)
        rates, cited = (self._rates, self._text.cited) if ends else ("", ())
        pages = PostedPages(
            self._outbox,
            replace(self._spot, key=f"{self._spot.key}/{segment.number}"),
            lambda: Said([inline(segment, self._flow(segment), end)], running=False, rates=rates, cited=cited),
            segment.ts,
        )
        self._repairs.append(pages)
        self._close(segment, end)

    # --- Messages that are edited ------------------------------------------------------------------------------------

    def _edit_segment(self, segment: Segment, ts: str | None) -> PostedPages:
        def now() -> Said:
            text = inline(segment, self._flow(segment), self._end)
            if self._end is None:
                return Said(["\n\n".join(filter(None, (text, WORKING)))], running=True)
            rates, cited = (self._rates, self._text.cited) if self._at_end(segment, self._end) else ("", ())
            return Said([text], running=False, rates=rates, cited=cited)

        self._end = None
        return PostedPages(self._outbox, replace(self._spot, key=f"{self._spot.key}/{segment.number}"), now, ts)

    async def _edit(self, segment: Segment, pages: PostedPages) -> bool:
        step = self._step(segment)
        segment.cards |= step.cards
        self._end = step.ends
        await self._bring(pages)
        if step.ends is None:
            return False
        self._edited = None
        self._close(segment, step.ends)
        return True

    async def _bring(self, pages: PostedPages) -> None:
        self._bringing = pages
        await pages.bring()
        self._bringing = None

    async def _end_left_behind(self) -> None:
        """A stream that an earlier process started for this reply, or did not end: what comes stands below it."""
        place = (self._spot.channel, self._spot.thread_ts)
        stray = await self._streams.find_stray(*place, self._after, self._own.__contains__)
        if stray:
            below = [{"type": "markdown_text", "text": f"\n\n{BELOW}"}]
            await self._streams.turn_to_stop()
            with contextlib.suppress(SlackRefused):
                await self._streams.stop(place[0], stray, f"{self._spot.key}/stray", chunks=below, more=True)
        self._left_behind = False

    async def _remove_stray(self) -> None:
        """A stream that was started twice may be there twice: it has no words of ours, and goes."""
        place = (self._spot.channel, self._spot.thread_ts)
        stray = await self._streams.find_stray(*place, self._after, self._own.__contains__)
        self._stray = False
        if stray:
            await self._streams.turn_to_stop()
            with contextlib.suppress(SlackRefused):
                await self._streams.stop(place[0], stray, f"{self._spot.key}/stray", more=True)
            with contextlib.suppress(SlackRefused):
                await self._outbox.remove(place[0], stray)

    # --- Where a message ends ----------------------------------------------------------------------------------------

    def _step(self, segment: Segment) -> Step:
        over = self._text.complete or segment.section < len(self._text.flows()) - 1
        age = 0.0 if self._edited else (time.monotonic() - segment.began) / self._streams.max_age
        title = self._text.summary() if self._text.complete else LEFT_TITLE if over else WORKING_TITLE
        around = Circumstances(self._budget, title, age, over)
        return next_step(segment, self._flow(segment), self._shown, around)

    def _flow(self, segment: Segment) -> Flow:
        """A message's section, with the tool calls of earlier ones that still ran when it began."""
        flows = self._text.flows()
        before = [tool for flow in flows[: segment.section] for _, tool in flow.tools]
        earlier = [(0, tool) for tool in before if tool.id in segment.cards or tool.id not in self._shown]
        flow = flows[segment.section]
        return replace(flow, tools=(*earlier, *flow.tools))

    def _ends_reply(self, segment: Segment, step: Step) -> bool:
        return step.ends is not None and self._at_end(segment, step.ends)

    def _at_end(self, segment: Segment, end: Place) -> bool:
        flows = self._text.flows()
        at_end = end.at >= len(known_text(flows[segment.section]))
        return self._text.complete and at_end and segment.section == len(flows) - 1

    def _over(self, segment: Segment) -> None:
        self._streams.live -= self._is_live
        segment.stopped = True

    def _close(self, segment: Segment, end: Place) -> None:
        """Go on in another message, where there is more to come."""
        self._shown |= {name for name, (_, status) in segment.cards.items() if status in ("complete", "error")}
        self._segment = None
        text, number = known_text(self._flow(segment)), segment.number + 1
        over = self._text.complete or segment.section < len(self._text.flows()) - 1
        if over and end.at >= len(text):
            self._done = segment.section == len(self._text.flows()) - 1
            self._next = Segment(number, segment.section + 1, Place(), 0.0, 0)
        else:
            self._next = Segment(number, segment.section, end, 0.0, end.at)
