"""One assistant turn, and the events and bodies in which the Messages API sends it.

Pure: no socket, no clock. Source: Anthropic's "Streaming messages" documentation.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

CHUNK = 24  # characters per delta, about what the real API sends
CHARS_PER_TOKEN = 4

Event = dict[str, Any]


@dataclass(frozen=True)
class Say:
    """A text block."""

    text: str


@dataclass(frozen=True)
class Call:
    """A tool_use block. `raw` replaces the JSON of the arguments in a stream, to send it broken."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    raw: str | None = None
    id: str = field(default_factory=lambda: f"toolu_{uuid.uuid4().hex[:24]}")


Block = Say | Call


@dataclass(frozen=True)
class Turn:
    """What the assistant says next. `stop_reason` is derived from the blocks unless a script sets it."""

    blocks: tuple[Block, ...]
    forced_stop: str | None = None

    @property
    def stop_reason(self) -> str:
        """`tool_use` when a tool is called, else `end_turn`, unless forced."""
        calls = any(isinstance(block, Call) for block in self.blocks)
        return self.forced_stop or ("tool_use" if calls else "end_turn")

    @property
    def output_tokens(self) -> int:
        """The length of the blocks in characters / 4, at least 1."""
        written = (block.text if isinstance(block, Say) else _arguments_json(block) for block in self.blocks)
        return estimate_tokens("".join(written))


def estimate_tokens(text: str) -> int:
    """Return characters / 4, at least 1: an estimate, as the real tokenizer is not public."""
    return max(1, len(text) // CHARS_PER_TOKEN)


def turn_from_script(items: object) -> Turn:
    """Read a scripted turn: `[{"text": …}, {"tool": name, "input": {…}}, {"tool": name, "raw_input": "…"},
    {"stop_reason": "…"}]`. One object alone is a turn of one item. Raises ValueError.
    """
    blocks: list[Block] = []
    forced: str | None = None
    for item in items if isinstance(items, list) else [items]:
        match item:
            case {"text": str(text)}:
                blocks.append(Say(text))
            case {"tool": str(name), "raw_input": str(raw)}:
                blocks.append(Call(name, raw=raw))
            case {"tool": str(name), "input": dict(arguments)}:
                blocks.append(Call(name, arguments))
            case {"stop_reason": str(reason)}:
                forced = reason
            case _:
                raise ValueError(
                    f'not a scripted item: {item!r}. Use {{"text"}}, {{"tool", "input"}} or {{"stop_reason"}}'
                )
    return Turn(tuple(blocks), forced)


def message_body(turn: Turn, model: str, input_tokens: int) -> dict[str, Any]:
    """Return the body of a response that is not streamed."""
    # A fresh id each time: the CLI merges two messages of one id into one, and the history is spoilt.
    return {
        "id": f"msg_{uuid.uuid4().hex[:24]}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [_finished(block) for block in turn.blocks],
        "stop_reason": turn.stop_reason,
        "stop_sequence": None,
        "usage": _usage(input_tokens, turn.output_tokens),
    }


def stream_events(turn: Turn, model: str, input_tokens: int) -> Iterator[Event]:
    """Yield the events of a streamed response in order, from `message_start` to `message_stop`."""
    empty = {**message_body(turn, model, input_tokens), "content": [], "stop_reason": None}
    yield {"type": "message_start", "message": {**empty, "usage": _usage(input_tokens, 1)}}
    yield {"type": "ping"}
    for index, block in enumerate(turn.blocks):
        yield {"type": "content_block_start", "index": index, "content_block": _started(block)}
        for delta in _deltas(block):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": turn.stop_reason, "stop_sequence": None},
        "usage": {"output_tokens": turn.output_tokens},
    }
    yield {"type": "message_stop"}


def first_half(events: list[Event]) -> list[Event]:
    """Return the events up to and including the middle delta: a reply that breaks off in mid-sentence."""
    deltas = [place for place, event in enumerate(events) if event["type"] == "content_block_delta"]
    return events[: deltas[(len(deltas) - 1) // 2] + 1] if deltas else events[:1]


def delta_length(event: Event) -> int:
    """Return how many characters an event adds to the reply, for pacing."""
    delta = event.get("delta", {})
    return len(delta.get("text", "") or delta.get("partial_json", ""))


def _deltas(block: Block) -> Iterator[dict[str, str]]:
    if isinstance(block, Say):
        for start in range(0, len(block.text), CHUNK):
            yield {"type": "text_delta", "text": block.text[start : start + CHUNK]}
        return
    yield {"type": "input_json_delta", "partial_json": ""}
    written = _arguments_json(block)
    for start in range(0, len(written), CHUNK):
        yield {"type": "input_json_delta", "partial_json": written[start : start + CHUNK]}


def _arguments_json(call: Call) -> str:
    return call.raw if call.raw is not None else json.dumps(call.arguments, ensure_ascii=False)


def _started(block: Block) -> dict[str, Any]:
    if isinstance(block, Say):
        return {"type": "text", "text": ""}
    return {"type": "tool_use", "id": block.id, "name": block.name, "input": {}}


def _finished(block: Block) -> dict[str, Any]:
    if isinstance(block, Say):
        return {"type": "text", "text": block.text}
    return {"type": "tool_use", "id": block.id, "name": block.name, "input": block.arguments}


def _usage(input_tokens: int, output_tokens: int) -> dict[str, Any]:
    return {
        "input_tokens": input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }
