"""What the Messages API refuses, refused in the same words.

A stand-in that accepts everything would let the bot send conversations that fail only in production. This
module checks the parts that a client can get wrong by its own doing: headers, required fields, roles, empty
content and the pairing of `tool_use` with `tool_result`. It does not check sampling parameters, beta flags or
token limits: the CLI owns those.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .refusal import Refusal

REQUEST_FIELDS = (
    {"model", "messages", "system", "max_tokens", "stream", "metadata", "stop_sequences", "service_tier", "speed"}
    | {"temperature", "top_k", "top_p", "thinking", "output_config", "output_format", "inference_geo"}
    | {"tools", "tool_choice", "mcp_servers", "container", "context_management", "cache_control", "diagnostics"}
)
BLOCK_TYPES = {
    "user": {"text", "image", "document", "search_result", "tool_result", "container_upload"},
    "assistant": {"text", "tool_use", "thinking", "redacted_thinking"},
    "system": {"text"},
}
MAX_CACHE_BREAKPOINTS = 4  # "Prompt caching" documentation
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")

Block = dict[str, Any]


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse a request without a key (401) or without a version (400)."""
    if not headers.get("x-api-key") and not headers.get("authorization"):
        raise Refusal(401, "x-api-key header is required")
    if not headers.get("anthropic-version"):
        raise Refusal(400, "anthropic-version: header is required")
    if "application/json" not in headers.get("content-type", ""):
        raise Refusal(400, "content-type: must be application/json")


def check_body(body: object, *, counting: bool = False) -> dict[str, Any]:
    """Return the body of `/v1/messages` if the API would take it, else raise `Refusal` (400 or 404).

    `counting` is for `/v1/messages/count_tokens`, which takes no `max_tokens`.
    """
    if not isinstance(body, dict):
        raise Refusal(400, "Input should be a valid dictionary")
    for name in sorted(set(body) - REQUEST_FIELDS):
        raise Refusal(400, f"{name}: Extra inputs are not permitted")
    _check_model(body.get("model"))
    if not counting:
        _check_max_tokens(body.get("max_tokens"))
    _check_tools(body.get("tools", []))
    _check_messages(body.get("messages"))
    _check_cache_breakpoints(body)
    return body


def blocks_of(content: object) -> list[Block]:
    """Return message content, a string or a list, as a list of blocks."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _check_model(model: object) -> None:
    if not isinstance(model, str) or not model:
        raise Refusal(400, "model: Field required")
    if not model.startswith("claude-") or "nonexistent" in model:
        raise Refusal(404, f"model: {model}")


def _check_max_tokens(value: object) -> None:
    if value is None:
        raise Refusal(400, "max_tokens: Field required")
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise Refusal(400, "max_tokens: Input should be a valid integer greater than or equal to 1")


def _check_tools(tools: object) -> None:
    if not isinstance(tools, list):
        raise Refusal(400, "tools: Input should be a valid list")
    names = [str(tool.get("name", "")) for tool in tools if isinstance(tool, dict)]
    for index, name in enumerate(names):
        if not TOOL_NAME.fullmatch(name):
            raise Refusal(400, f"tools.{index}.custom.name: String should match pattern '^{TOOL_NAME.pattern}$'")
    if len(set(names)) != len(names):
        raise Refusal(400, "tools: Tool names must be unique.")


def _check_messages(messages: object) -> None:
    if not isinstance(messages, list) or not messages:
        raise Refusal(400, "messages: at least one message is required")
    for index, message in enumerate(messages):
        _check_message(index, message)
    # A `system` message inside the list carries instructions; it is no turn, so it parts no pair.
    turns = [(index, message) for index, message in enumerate(messages) if message["role"] != "system"]
    if not turns or turns[0][1]["role"] != "user":
        raise Refusal(400, 'messages: first message must use the "user" role')
    if turns[-1][1]["role"] != "user":
        raise Refusal(
            400,
            "This model does not support assistant message prefill. The conversation must end with a user message.",
        )
    _check_tool_pairs([(index, blocks_of(message["content"])) for index, message in turns])


def _check_message(index: int, message: object) -> None:
    if not isinstance(message, dict) or message.get("role") not in BLOCK_TYPES:
        raise Refusal(400, f"messages.{index}.role: Input should be 'user' or 'assistant'")
    blocks = blocks_of(message.get("content"))
    if not blocks:
        raise Refusal(400, f"messages.{index}: all messages must have non-empty content")
    for place, block in enumerate(blocks):
        kind = block.get("type")
        if kind not in BLOCK_TYPES[message["role"]]:
            raise Refusal(
                400, f"messages.{index}.content.{place}: Input tag '{kind}' found using 'type' is not expected"
            )
        if kind == "text" and not str(block.get("text") or "").strip():
            raise Refusal(400, "messages: text content blocks must contain non-whitespace text")
        if kind == "tool_use" and not isinstance(block.get("input"), dict):
            raise Refusal(400, f"messages.{index}.content.{place}.tool_use.input: Input should be a valid dictionary")


def _check_tool_pairs(turns: list[tuple[int, list[Block]]]) -> None:
    """Each `tool_use` is answered at the head of the very next turn, once, and nothing else is answered."""
    seen: set[str] = set()
    open_calls: list[str] = []
    for index, blocks in turns:
        answered = [str(block.get("tool_use_id")) for block in blocks if block["type"] == "tool_result"]
        _check_answers(index, open_calls, answered, blocks)
        open_calls = [str(block.get("id")) for block in blocks if block["type"] == "tool_use"]
        if seen.intersection(open_calls) or len(set(open_calls)) != len(open_calls):
            raise Refusal(400, "messages: `tool_use` ids must be unique")
        seen.update(open_calls)


def _check_answers(index: int, asked: list[str], answered: list[str], blocks: list[Block]) -> None:
    for call in answered:
        if call not in asked:
            raise Refusal(
                400,
                f"messages.{index}.content: unexpected `tool_use_id` found in `tool_result` blocks: {call}. Each "
                "`tool_result` block must have a corresponding `tool_use` block in the previous message.",
            )
    if len(set(answered)) != len(answered):
        raise Refusal(400, f"messages.{index}.content: each tool_use must have a single result.")
    head = [str(block.get("tool_use_id")) for block in blocks[: len(asked)] if block["type"] == "tool_result"]
    missing = [call for call in asked if call not in head]
    if missing:
        raise Refusal(
            400,
            f"messages.{index - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in the next "
            "message.",
        )


def _check_cache_breakpoints(body: dict[str, Any]) -> None:
    found = sum(1 for block in _cacheable(body) if block.get("cache_control"))
    if found > MAX_CACHE_BREAKPOINTS:
        raise Refusal(
            400, f"A maximum of {MAX_CACHE_BREAKPOINTS} blocks with cache_control may be provided. Found {found}."
        )


def _cacheable(body: dict[str, Any]) -> Iterator[Block]:
    yield from blocks_of(body.get("tools"))
    yield from blocks_of(body.get("system"))
    for message in body["messages"]:
        yield from blocks_of(message["content"])
