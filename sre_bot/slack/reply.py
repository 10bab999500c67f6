"""The text of one reply, built from events: pure. It is rendered whole, again and again, as the run goes on."""

from dataclasses import dataclass, field

from sre_bot.agent.events import (
    Event,
    Notice,
    Outcome,
    RunEnded,
    TextBreak,
    TextDelta,
    ToolFinished,
    ToolStarted,
)

WORKING = "⏳ _Working on it …_"


@dataclass(slots=True)
class _Tool:
    summary: str
    ok: bool | None = None  # None while it runs
    seconds: float = 0.0

    def render(self) -> str:
        mark = {None: "🔄", True: "✅", False: "⚠️"}[self.ok]
        return f"- {mark} {self.summary}" + (f" · {self.seconds:.1f} s" if self.ok is not None else "")


@dataclass(slots=True)
class ReplyText:
    """Text, tool lines and notices in the order in which they happened."""

    _parts: list[str | _Tool] = field(default_factory=list)
    _tools: dict[str, _Tool] = field(default_factory=dict)
    _end: RunEnded | None = None

    @property
    def ended(self) -> bool:
        """Whether the run is over and the text complete."""
        return self._end is not None

    def add(self, event: Event) -> None:
        """Take one event in."""
        match event:
            case TextDelta(text):
                self._append(text)
            case TextBreak():
                self._parts.append("")
            case ToolStarted(id, _, summary):
                self._tools[id] = _Tool(summary)
                self._parts.append(self._tools[id])
            case ToolFinished(id, ok, seconds):
                self._tools[id].ok, self._tools[id].seconds = ok, seconds
            case Notice(text):
                self._parts += [f"ℹ️ _{text}_", ""]  # noqa: RUF001  (the sign that people know)
            case RunEnded():
                self._end = event

    def render(self) -> str:
        """The reply as Markdown, as it should look now."""
        blocks: list[str] = []
        lines: list[str] = []
        for part in self._parts:
            if isinstance(part, _Tool):
                lines.append(part.render())
                continue
            if part.strip():
                _flush(lines, blocks)
                blocks.append(part.strip())
        _flush(lines, blocks)
        blocks.append(self._footer() if self._end else WORKING)
        return "\n\n".join(blocks)

    def _append(self, text: str) -> None:
        last = self._parts[-1] if self._parts else None
        if isinstance(last, str):
            self._parts[-1] = last + text
        else:
            self._parts.append(text)

    def _footer(self) -> str:
        assert self._end is not None  # noqa: S101  (the caller asked)
        end = self._end
        facts = [f"{end.tool_calls} tool calls" if end.tool_calls != 1 else "1 tool call", f"{end.seconds:.0f} s"]
        if end.cost_usd is not None:
            facts.append(f"${end.cost_usd:.2f}")
        line = f"_{' · '.join(facts)}_"
        if end.outcome is Outcome.ANSWERED:
            return line
        mark = "🛑" if end.outcome is Outcome.STOPPED else "⚠️"
        return f"{mark} **{end.reason}**\n\n{line}"


def _flush(lines: list[str], blocks: list[str]) -> None:
    if lines:
        blocks.append("\n".join(lines))
        lines.clear()
