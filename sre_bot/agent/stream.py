"""The Agent SDK's messages turned into events: pure, one instance per run.

Three habits of the SDK shape this file. Each content block arrives twice (as deltas and as an `AssistantMessage`), so
of the second only what is new is shown. A tool's name is known before its arguments, so it is announced when the
arguments are complete. Cost is cumulative for the process, so a run's own cost is a difference.
"""

import base64
import binascii
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from claude_agent_sdk import (
    AssistantMessage,
    Message,
    ResultMessage,
    StreamEvent,
    SystemMessage,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)

from sre_bot.agent.events import (
    Event,
    ImageShown,
    Notice,
    Outcome,
    RunEnded,
    TextBreak,
    TextDelta,
    ToolFinished,
    ToolStarted,
)
from sre_bot.agent.exhibits import TAG
from sre_bot.tools.spec import shorten

Describe = Callable[[str, Mapping[str, Any]], str]
"""A tool's name and arguments -> one line for people."""
Clock = Callable[[], float]
"""Seconds, monotonic."""

# Why the model's API refused, by HTTP status: what it means and what to do.
API_ERRORS: Mapping[int, str] = {
    400: "The model's API refused the request as invalid (400). Starting a new thread usually helps.",
    401: "The model's API refused the key (401). Whoever runs me: check ANTHROPIC_API_KEY.",
    403: "The model's API refused access (403). Whoever runs me: check the key's permissions and its workspace.",
    404: "The model is not known to the API (404). Whoever runs me: check SRE_MODEL.",
    413: "This conversation has become too long for the model (413). Please start a new thread.",
    429: "The model's API is rate-limiting us (429). Please ask again in a few minutes.",
    500: "The model's API had an internal error (500). Please ask again in a minute.",
    529: "The model's API is overloaded (529). Please ask again in a few minutes.",
}
REFUSED = "The model declined to go on with this. Please put it differently, or start a new thread."
UNREACHABLE_MODEL = (
    "The model's API could not be reached. Please ask again in a minute; if it lasts, check the network."
)

IMAGE_TITLE_LIMIT = 150  # characters

TURNING = dict.fromkeys(map(ord, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))
"""Characters that make people read a line in another order than it is written (Unicode Annex 9); left out of answers.

Arabic and Hebrew need none of them.
"""

# Results that one of our own bounds caused, by the SDK's result subtype.
LIMITS: Mapping[str, str] = {
    "error_max_turns": "I used all the steps I may take in one run (SRE_MAX_TURNS).",
    "error_max_budget_usd": "I used the whole budget of one run (SRE_MAX_COST_USD).",
}


class RunStream:
    """Turns the messages of one run into events.

    Args:
        describe: gives the line that people read for a tool call.
        cost_before: what the process had cost before this run, US dollars.
        clock: for durations.
    """

    def __init__(self, describe: Describe, cost_before: float = 0.0, clock: Clock = time.monotonic) -> None:
        self._describe = describe
        self._cost_before = cost_before
        self._clock = clock
        self._began = clock()
        self._running: dict[str, float] = {}
        self._calls = 0
        self._text = ""
        self._block = ""  # what deltas have shown of the block that is not finished yet

    @property
    def tools_running(self) -> bool:
        """Whether a tool has been called that has not answered yet."""
        return bool(self._running)

    def read(self, message: Message) -> Iterator[Event]:
        """Events of one message; a `ResultMessage` gives the `RunEnded`."""
        if isinstance(message, StreamEvent):
            yield from self._read_delta(message.event)
        elif isinstance(message, AssistantMessage):
            yield from self._read_blocks(message)
        elif isinstance(message, UserMessage):
            yield from self._read_results(message)
        elif isinstance(message, SystemMessage):
            yield from self._read_system(message)
        elif isinstance(message, ResultMessage):
            yield self._end(message)

    def end(self, outcome: Outcome, reason: str, cost_usd: float | None = None) -> RunEnded:
        """The end of a run that we decided ourselves, or whose process died."""
        return RunEnded(
            outcome=outcome,
            reason=reason,
            answer=self._text.strip(),
            cost_usd=cost_usd,
            seconds=self._clock() - self._began,
            tool_calls=self._calls,
        )

    def _read_delta(self, event: dict[str, Any]) -> Iterator[Event]:
        kind = event.get("type")
        if kind == "content_block_start" and event["content_block"].get("type") == "text":
            self._block = ""
            yield from self._break()
        elif kind == "content_block_delta" and event["delta"].get("type") == "text_delta":
            self._block += event["delta"]["text"]
            yield self._write(event["delta"]["text"])

    def _read_blocks(self, message: AssistantMessage) -> Iterator[Event]:
        if message.error:
            return  # the CLI's own words for a failure; the result that follows is explained in ours
        for block in message.content:
            if isinstance(block, TextBlock):
                yield from self._complete(block.text)
            elif isinstance(block, ToolUseBlock):
                self._running[block.id] = self._clock()
                self._calls += 1
                yield ToolStarted(block.id, block.name, self._describe(block.name, block.input))

    def _complete(self, text: str) -> Iterator[Event]:
        """Show of a finished block what its deltas did not: after a broken stream the CLI asks again without one."""
        if not text.startswith(self._block):
            self._block = ""
            yield from self._break()
        if rest := text[len(self._block) :]:
            yield self._write(rest)
        self._block = ""

    def _write(self, text: str) -> TextDelta:
        text = text.translate(TURNING)
        self._text += text
        return TextDelta(text)

    def _break(self) -> Iterator[Event]:
        if self._text and not self._text.endswith("\n\n"):
            self._text += "\n\n"
            yield TextBreak()

    def _read_results(self, message: UserMessage) -> Iterator[Event]:
        blocks = message.content if isinstance(message.content, list) else []
        for block in blocks:
            if isinstance(block, ToolResultBlock) and block.tool_use_id in self._running:
                began = self._running.pop(block.tool_use_id)
                yield ToolFinished(block.tool_use_id, not block.is_error, self._clock() - began)
                yield from _images(block.content)

    def _read_system(self, message: SystemMessage) -> Iterator[Event]:
        if message.subtype == "api_retry":
            attempt, most = message.data.get("attempt", "?"), message.data.get("max_retries", "?")
            status = message.data.get("error_status")
            why = f"answered {status}" if status else "did not answer"
            yield Notice(f"The model's API {why}; trying again ({attempt} of {most}).")

    def _end(self, result: ResultMessage) -> RunEnded:
        outcome, reason = self._judge(result)
        total = result.total_cost_usd
        end = self.end(outcome, reason, None if total is None else max(0.0, total - self._cost_before))
        if outcome is Outcome.PROPOSED and result.deferred_tool_use:
            return replace(end, deferred=result.deferred_tool_use.id)
        return end

    def _judge(self, result: ResultMessage) -> tuple[Outcome, str]:
        if result.subtype in LIMITS:
            return Outcome.LIMITED, LIMITS[result.subtype]
        # Of a call that is deferred again, in a resumed process, only the stop reason says so.
        if "tool_deferred" in (result.terminal_reason, result.stop_reason) and not result.is_error:
            return Outcome.PROPOSED, ""
        if (result.terminal_reason or "").startswith("aborted"):
            return Outcome.STOPPED, "Stopped."
        if not result.is_error:
            return Outcome.ANSWERED, ""
        if result.stop_reason == "refusal":
            return Outcome.FAILED, REFUSED
        if result.api_error_status is not None:
            unknown = f"The model's API answered {result.api_error_status}. Please ask again in a minute."
            return Outcome.FAILED, API_ERRORS.get(result.api_error_status, unknown)
        if result.terminal_reason == "api_error":
            return Outcome.FAILED, UNREACHABLE_MODEL
        return Outcome.FAILED, "The run ended with an error inside the agent. Please ask again."


def _images(content: str | list[dict[str, Any]] | None) -> Iterator[ImageShown]:
    """The pictures in a tool's result, under the first line of the text that came with them."""
    parts = content if isinstance(content, list) else []
    words = next((str(part.get("text", "")).partition("\n")[0] for part in parts), "")
    title = shorten(TAG.sub("", words), IMAGE_TITLE_LIMIT)
    for part in parts:
        source = part.get("source") or {}
        if part.get("type") != "image" or source.get("type") != "base64":
            continue
        try:
            data = base64.b64decode(source.get("data", ""), validate=True)
        except binascii.Error:
            continue
        yield ImageShown(data, str(source.get("media_type", "image/png")), title)
