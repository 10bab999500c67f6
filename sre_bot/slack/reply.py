"""The text of one reply, built from events: pure. It is rendered whole, again and again, as the run goes on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from sre_bot.agent.events import (
    Event,
    Notice,
    Outcome,
    RunEnded,
    Steered,
    TextBreak,
    TextDelta,
    ToolFinished,
    ToolStarted,
)
from sre_bot.slack.pages import MAX_CHARACTERS, Place, cut_at, next_page, weigh

WORKING = "⏳ _Working on it …_"
BELOW = "↪️ _Answered below._"
HEAD_PAGES = 3
LONG_ANSWER = HEAD_PAGES * 9_000
"""Weighted bytes of an answer above which the thread gets its beginning and its end, and a file has all of it.

Three full messages are some twelve screens of a phone: more buries the thread in which people talk. And a message more
is a post more, of which a channel takes one a second.
"""
TAIL = 2_000  # characters of the end of such an answer that are shown; it is where conclusions stand
IN_FILE = "✂️ _Here a part is left out: the file in this thread has all {characters:,} characters._"


@dataclass(slots=True)
class Tool:
    """A tool call: one line for people, and how it went; `ok` is None while it runs."""

    id: str
    summary: str
    ok: bool | None = None
    seconds: float = 0.0
    left: bool = False  # it is shown in a message that ended before it
    deferred: bool = False  # it waits for a person

    @property
    def line(self) -> str:
        """The call in words, with its duration when it is over."""
        return self.summary + (f" · {self.seconds:.1f} s" if self.ok is not None else "")

    def render(self) -> str:
        """As an item of a list."""
        if self.left:
            return f"- ↪️ {self.line}"
        if self.deferred:
            return f"- ✋ {self.line}"
        return f"- { {None: '🔄', True: '✅', False: '⚠️'}[self.ok] } {self.line}"


@dataclass(frozen=True, slots=True)
class Flow:
    """A section of a reply as a text that only grows at its end, with its tool calls beside it.

    Attributes:
        text: Markdown without the tool calls.
        tools: the calls in their order, each with the place in the text after which it began.
        growing: whether the last paragraph may still grow; else what follows begins a new one.
    """

    text: str
    tools: tuple[tuple[int, Tool], ...]
    growing: bool


@dataclass(slots=True)
class ReplyText:
    """Text, tool lines and notices in the order in which they happened; once it is over, the answer above its calls.

    A reply has sections: what is said after somebody else spoke belongs below their words, in a message of its own.
    A section in which nothing was said keeps its place, since its message stands above those words already.
    """

    _sections: list[list[str | Tool]] = field(default_factory=lambda: [[]])
    _tools: dict[str, Tool] = field(default_factory=dict)
    _end: RunEnded | None = None
    _filed: bool | None = None  # whether there is a file with the whole of a long answer; None until that is decided

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self._end is not None

    @property
    def answered(self) -> bool:
        """Whether the run came to an answer of its own, and it is known how that is shown."""
        end = self._end
        return end is not None and end.outcome is Outcome.ANSWERED and not end.reason and self.complete

    @property
    def complete(self) -> bool:
        """Whether the run is over and it is known how its answer is shown."""
        return self.ended and not self.wants_file

    @property
    def wants_file(self) -> bool:
        """Whether the answer is there and too long for messages, and no file has been tried yet."""
        return self.ended and self._filed is None and weigh(self.answer) > LONG_ANSWER

    @property
    def answer(self) -> str:
        """The whole text of the last section, without its tool calls."""
        return "\n\n".join(_paragraphs(self._sections[-1]))

    def add(self, event: Event) -> None:
        """Take one event in."""
        parts = self._sections[-1]
        match event:
            case TextDelta(text):
                self._append(text)
            case TextBreak():
                parts.append("")
            case ToolStarted(id, _, summary):
                self._tools[id] = Tool(id, summary)
                parts.append(self._tools[id])
            case ToolFinished(id, ok, seconds):
                self._tools[id].ok, self._tools[id].seconds = ok, seconds
            case Notice(text):
                parts += [f"ℹ️ _{text}_", ""]  # noqa: RUF001  (the sign that people know)
            case Steered():
                self._begin_section()
            case RunEnded():
                self._finish(event)

    def _finish(self, end: RunEnded) -> None:
        self._end = end
        if waiting := self._tools.get(end.deferred):
            waiting.deferred = True

    def file(self, *, filed: bool) -> None:
        """Decide how a long answer is shown: shortened where a file has it, else whole."""
        self._filed = filed

    @property
    def cited(self) -> tuple[tuple[int, str], ...]:
        """The results that a complete answer cites: their numbers, and a line on each call."""
        return self._end.cited if self._end and self.complete else ()

    def render(self) -> list[str]:
        """The sections as Markdown, as they should look now; none is empty."""
        *before, last = ["\n\n".join(render_parts(parts)) for parts in self._sections]
        if self._end and self.complete:
            # The verdict first: on a phone a list of calls would stand between it and whoever was woken up for it.
            calls = "\n".join(part.render() for part in self._sections[-1] if isinstance(part, Tool))
            ending = [self._shorten(self.answer, self.answer), calls, self._footer(self._end)]
        else:
            ending = [self._shorten(last, self.answer) if last else "", WORKING]
        return [self._correct(section) for section in (*before, "\n\n".join(filter(None, ending)))]

    def flows(self) -> list[Flow]:
        """The sections as texts that grow: what one of them says now is the beginning of what it will say."""
        return [self._flow(number) for number in range(len(self._sections))]

    def summary(self) -> str:
        """The calls in one line."""
        calls, failed = len(self._tools), sum(tool.ok is False for tool in self._tools.values())
        steps = f"{calls} step{'' if calls == 1 else 's'}" if calls else "No steps"
        return steps + (f", {failed} failed" if failed else "")

    def _flow(self, number: int) -> Flow:
        parts = self._sections[number]
        last = number == len(self._sections) - 1
        texts = _paragraphs(parts)
        text = "\n\n".join(texts)
        shown = self._shorten(text, text) if last else text
        if last and self._end and self.complete:
            shown = "\n\n".join(filter(None, (shown, self._footer(self._end))))
        lengths = [0, *accumulate(len(paragraph) + 2 for paragraph in texts)]
        tools: list[tuple[int, Tool]] = []
        said = 0
        for part in parts:
            if isinstance(part, Tool):
                tools.append((min(max(lengths[said] - 2, 0), len(shown)), part))
            else:
                said += bool(part.strip())
        goes_on = shown != text or (bool(parts) and isinstance(parts[-1], str) and parts[-1] != "")
        return Flow(shown, tuple(tools), growing=last and not self.complete and goes_on)

    def _correct(self, section: str) -> str:
        """A text in which a verdict that does not stand is replaced; what is streamed has it below alone."""
        correction = self._end.correction if self._end else None
        return section.replace(*correction, 1) if correction else section

    def _shorten(self, text: str, answer: str) -> str:
        """A long answer as its beginning, and its end where a file has the whole."""
        if self._filed is False or weigh(answer) <= LONG_ANSWER:
            return text
        place = Place()
        for _ in range(HEAD_PAGES):
            _, place = next_page(text, place)
        head, _ = cut_at(text, Place(), place.at)
        if self._filed is None:
            return head.body
        return "\n\n".join([head.text, IN_FILE.format(characters=len(answer)), _tail(text, place.at)])

    def _begin_section(self) -> None:
        if not render_parts(self._sections[-1]):
            self._sections[-1].append(BELOW)
        self._sections.append([])

    def _append(self, text: str) -> None:
        parts = self._sections[-1]
        if parts and isinstance(parts[-1], str):
            parts[-1] += text
        else:
            parts.append(text)

    def _footer(self, end: RunEnded) -> str:
        facts = [f"{end.tool_calls} tool calls" if end.tool_calls != 1 else "1 tool call", f"{end.seconds:.0f} s"]
        if end.cost_usd is not None:
            facts.append(f"${end.cost_usd:.2f}")
        line = f"_{' · '.join(facts)}_"
        if end.outcome is Outcome.ANSWERED:
            return line
        if end.outcome is Outcome.PROPOSED:
            return f"✋ **I propose an action: a person decides, on the card below.**\n\n{line}"
        mark = "🛑" if end.outcome is Outcome.STOPPED else "⚠️"
        return f"{mark} **{end.reason}**\n\n{line}"


def _tail(text: str, least: int) -> str:
    """The last paragraphs of a text, from `least` on at the earliest, as a document of its own."""
    start = max(len(text) - TAIL, least)
    paragraph = text.find("\n\n", start)
    _, place = cut_at(text, Place(), paragraph + 2 if paragraph >= 0 else start)
    return next_page(text, place, MAX_CHARACTERS)[0].text


def _paragraphs(parts: list[str | Tool]) -> list[str]:
    return [part.strip() for part in parts if isinstance(part, str) and part.strip()]


def render_parts(parts: Sequence[str | Tool]) -> list[str]:
    """Paragraphs; tool lines that follow each other are one list."""
    blocks: list[str] = []
    after_tool = False
    for part in parts:
        if isinstance(part, Tool):
            line = part.render()
            if after_tool:
                blocks[-1] += f"\n{line}"
            else:
                blocks.append(line)
            after_tool = True
        elif part.strip():
            blocks.append(part.strip())
            after_tool = False
    return blocks
