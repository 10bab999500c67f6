"""The text of one reply, built from events: pure. It is rendered whole, again and again, as the run goes on."""

from dataclasses import dataclass, field

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

WORKING = "⏳ _Working on it …_"
BELOW = "↪️ _Answered below._"


@dataclass(slots=True)
class _Tool:
    summary: str
    ok: bool | None = None  # None while it runs
    seconds: float = 0.0

    def render(self, *, deferred: bool = False) -> str:
        mark = {None: "✋" if deferred else "🔄", True: "✅", False: "⚠️"}[self.ok]
        return f"- {mark} {self.summary}" + (f" · {self.seconds:.1f} s" if self.ok is not None else "")


@dataclass(slots=True)
class ReplyText:
    """Text, tool lines and notices in the order in which they happened.

    A reply has sections: what is said after somebody else spoke belongs below their words, in a message of its own.
    A section in which nothing was said keeps its place, since its message stands above those words already.
    """

    _sections: list[list[str | _Tool]] = field(default_factory=lambda: [[]])
    _tools: dict[str, _Tool] = field(default_factory=dict)
    _end: RunEnded | None = None

    @property
    def ended(self) -> bool:
        """Whether the run is over and the text complete."""
        return self._end is not None

    def add(self, event: Event) -> None:
        """Take one event in."""
        parts = self._sections[-1]
        match event:
            case TextDelta(text):
                self._append(text)
            case TextBreak():
                parts.append("")
            case ToolStarted(id, _, summary):
                self._tools[id] = _Tool(summary)
                parts.append(self._tools[id])
            case ToolFinished(id, ok, seconds):
                self._tools[id].ok, self._tools[id].seconds = ok, seconds
            case Notice(text):
                parts += [f"ℹ️ _{text}_", ""]  # noqa: RUF001  (the sign that people know)
            case Steered():
                self._begin_section()
            case RunEnded():
                self._end = event

    def render(self) -> list[str]:
        """The sections as Markdown, as they should look now; none is empty."""
        proposed = self._end is not None and self._end.outcome is Outcome.PROPOSED
        sections = [_render(parts, deferred=proposed) for parts in self._sections]
        sections[-1].append(self._footer(self._end) if self._end else WORKING)
        return ["\n\n".join(blocks) for blocks in sections]

    def _begin_section(self) -> None:
        if not _render(self._sections[-1]):
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


def _render(parts: list[str | _Tool], *, deferred: bool = False) -> list[str]:
    """Paragraphs; tool lines that follow each other are one list. `deferred`: what has not run waits for a person."""
    blocks: list[str] = []
    after_tool = False
    for part in parts:
        if isinstance(part, _Tool):
            line = part.render(deferred=deferred)
            if after_tool:
                blocks[-1] += f"\n{line}"
            else:
                blocks.append(line)
            after_tool = True
        elif part.strip():
            blocks.append(part.strip())
            after_tool = False
    return blocks
