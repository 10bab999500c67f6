"""The hook that keeps each tool's result, and tells the model the id under which it may be cited.

The id is written before the result itself, `[E3] `, which costs two tokens and cannot be taken for another call's; a
hook's own context costs some thirty, and names the tool only. Of a call that failed nothing can be rewritten, so there
it is that context, with the call's arguments. What cannot be kept has no id: it may be read, and not cited.
"""

import json
import logging
import re
from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID

from claude_agent_sdk import HookMatcher
from claude_agent_sdk.types import HookContext, HookEvent, HookInput, HookJSONOutput

from sre_bot.errors import LedgerError
from sre_bot.tools.spec import shorten

log = logging.getLogger(__name__)

TIMEOUT = 15.0  # seconds that Claude Code waits for the hook; then the result stands as it is, without an id
TAG = re.compile(r"\A\[E\d+\] ?")
"""The id before the words of a result."""
CALL_LIMIT = 120  # characters of a failed call's arguments


class Store(Protocol):
    """Keeps results."""

    async def keep(
        self, session_id: UUID, tool_use_id: str, tool: str, arguments: Mapping[str, Any], result: str, *, ok: bool
    ) -> int | None:
        """Keep a result; gives its number in the conversation's thread, None where it has none. Raises LedgerError."""


class Keeper:
    """Keeps what tools answer.

    Args:
        store: where.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def hooks(self, session_id: UUID) -> dict[HookEvent, list[HookMatcher]]:
        """The hooks of one process."""

        async def after(given: HookInput, tool_use_id: str | None, _context: HookContext) -> HookJSONOutput:
            call: Mapping[str, Any] = given
            response = call["tool_response"]
            number = await self._keep(session_id, tool_use_id, call, text_of(response), ok=True)
            if number is None:
                return {}
            return {"hookSpecificOutput": {"hookEventName": "PostToolUse", "updatedToolOutput": tag(response, number)}}

        async def after_failure(given: HookInput, tool_use_id: str | None, _context: HookContext) -> HookJSONOutput:
            call: Mapping[str, Any] = given
            number = await self._keep(session_id, tool_use_id, call, str(call["error"]), ok=False)
            if number is None:
                return {}
            made = shorten(json.dumps(call["tool_input"], ensure_ascii=False), CALL_LIMIT)
            context = f"E{number}, the call with {made}"
            return {"hookSpecificOutput": {"hookEventName": "PostToolUseFailure", "additionalContext": context}}

        return {
            "PostToolUse": [HookMatcher(matcher="mcp__.*", hooks=[after], timeout=TIMEOUT)],
            "PostToolUseFailure": [HookMatcher(matcher="mcp__.*", hooks=[after_failure], timeout=TIMEOUT)],
        }

    async def _keep(
        self, session_id: UUID, tool_use_id: str | None, call: Mapping[str, Any], text: str, *, ok: bool
    ) -> int | None:
        if not tool_use_id:
            return None
        try:
            return await self._store.keep(session_id, tool_use_id, call["tool_name"], call["tool_input"], text, ok=ok)
        except LedgerError as error:
            log.warning("the result of %s is not kept, and cannot be cited: %s", tool_use_id, error)
            return None


def text_of(response: object) -> str:
    """The words of a tool's response: those of its text blocks; of another shape its JSON."""
    if isinstance(response, str):
        return response
    if isinstance(response, list):
        return "\n".join(str(part["text"]) for part in response if isinstance(part, dict) and "text" in part)
    return json.dumps(response, ensure_ascii=False, default=str)


def tag(response: object, number: int) -> object:
    """A response with its id before its words, in the shape that it has."""
    mark = f"[E{number}] "
    if isinstance(response, str):
        return mark + response
    if not isinstance(response, list):
        return [{"type": "text", "text": mark + text_of(response)}]
    first = response[0] if response else None
    if isinstance(first, dict) and first.get("type") == "text":
        return [{**first, "text": f"{mark}{first.get('text', '')}"}, *response[1:]]
    return [{"type": "text", "text": mark.strip()}, *response]
