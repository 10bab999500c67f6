"""What happens in a run, as the rest of the product sees it: a small union of plain events.

Nobody above this room knows the Agent SDK's messages. A run is any number of events and then exactly one `RunEnded`.
"""

from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """How a run ended."""

    ANSWERED = "answered"
    PROPOSED = "proposed"  # a call waits for a person
    FAILED = "failed"  # something broke: the model, the tools, the process
    STOPPED = "stopped"  # a person stopped it
    INTERRUPTED = "interrupted"  # the bot was restarted
    LIMITED = "limited"  # a bound of ours ended it: turns, cost, time, silence


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More text of the answer, to be appended as it is; Markdown from the model, not to be trusted."""

    text: str


@dataclass(frozen=True, slots=True)
class TextBreak:
    """The current stretch of text is complete; what follows begins a new paragraph."""


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """The model called a tool. `id` pairs it with its end; `summary` is one line for people."""

    id: str
    name: str
    summary: str


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """A tool answered, after `seconds`; `ok` is False where the answer was an error."""

    id: str
    ok: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class ImageShown:
    """A tool gave the model a picture, which people should see too.

    Attributes:
        data: the file's bytes.
        media_type: such as `image/png`.
        title: one plain line on what it shows; a tool's words, with what it read in them.
    """

    data: bytes
    media_type: str
    title: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know while it runs, in one sentence (a retry, a lost conversation)."""

    text: str


@dataclass(frozen=True, slots=True)
class Steered:
    """Somebody said more while it ran, and the run took it in; what follows belongs below their words."""


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The last event of every run.

    Attributes:
        reason: one or two sentences for people; empty when answered.
        answer: the model's closing text; what was found so far when not answered.
        cost_usd: US dollars of this run as the SDK reports them; None where it reported nothing.
        seconds: wall time of the run.
        tool_calls: how many tools were called.
        deferred: id of the call that waits for a person; empty where none does.
        cited: the results that the answer cites: their numbers, and a line for people on the call.
        correction: a line of the answer that does not stand, and the line that takes its place.
    """

    outcome: Outcome
    reason: str
    answer: str
    cost_usd: float | None
    seconds: float
    tool_calls: int
    deferred: str = ""
    cited: tuple[tuple[int, str], ...] = ()
    correction: tuple[str, str] | None = None


Event = TextDelta | TextBreak | ToolStarted | ToolFinished | ImageShown | Notice | Steered | RunEnded
