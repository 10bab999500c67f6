"""A request's messages, read as exchanges: what was asked, which tools were called, what they answered.

The playbook sees nothing but this.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from .validation import blocks_of

# Texts that the CLI itself adds to the conversation; nobody asked them.
ADDED_BY_CLI = re.compile(
    r"<system-reminder>.*?</system-reminder>"
    r"|^\s*\[Request interrupted by user[^\]]*\]"
    r"|^\s*Continue from where you left off\.?\s*$"
    r"|^\s*Your response above was (?:cut off mid-stream|stopped by a safety classifier).*"
    r"|^\s*Output token limit hit\..*"
    r"|^\s*\[Your previous response had no visible output[^\]]*\]",
    re.DOTALL,
)

# How the CLI passes on what a person wrote during a run: in a reminder of its own, in a message of the system's role.
SENT_DURING_A_RUN = re.compile(r"The user sent a new message while you were working:\n(.*?)\n\nThis is how", re.DOTALL)


@dataclass(frozen=True)
class Result:
    """One tool call with its answer. `tool` is the short name, without the `mcp__server__` prefix."""

    tool: str
    arguments: dict[str, Any]
    text: str
    failed: bool


@dataclass
class Exchange:
    """A question, the tool results that followed it, and what was said. Closed by a turn without a tool call."""

    question: str
    results: list[Result] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    closed: bool = False

    def called(self, tool: str) -> bool:
        """Tell whether the tool was called in this exchange."""
        return any(result.tool == tool for result in self.results)


@dataclass(frozen=True)
class Conversation:
    """All exchanges, oldest first (at least one), and the tools on offer: short name to full name.

    `properties` are the arguments that a tool's schema names, by its full name.
    """

    exchanges: tuple[Exchange, ...]
    offered: dict[str, str]
    properties: dict[str, frozenset[str]] = field(default_factory=dict)

    @property
    def current(self) -> Exchange:
        """The exchange that awaits an answer."""
        return self.exchanges[-1]

    @property
    def earlier(self) -> tuple[Exchange, ...]:
        """The exchanges before the current one."""
        return self.exchanges[:-1]

    @property
    def opening(self) -> bool:
        """Whether the assistant has said nothing yet."""
        return not any(exchange.said or exchange.results for exchange in self.exchanges)


def read_conversation(body: dict[str, Any]) -> Conversation:
    """Read a validated request body."""
    exchanges: list[Exchange] = []
    calls: dict[str, dict[str, Any]] = {}
    for message in body["messages"]:
        blocks = blocks_of(message["content"])
        if message["role"] == "assistant":
            _read_assistant(exchanges, blocks, calls)
        else:
            _read_user(exchanges, _sent(message), calls)
    tools = body.get("tools", [])
    return Conversation(tuple(exchanges) or (Exchange(""),), _offered(tools), _properties(tools))


def user_texts(body: dict[str, Any]) -> list[str]:
    """Return every text that users sent, oldest first, without what the CLI adds."""
    return [
        text
        for message in body["messages"]
        if message["role"] != "assistant"
        for block in _sent(message)
        if (text := _asked(block))
    ]


def short_name(tool: str) -> str:
    """`mcp__sre__get_logs` is `get_logs` here: the server's name is the client's choice."""
    return tool.rsplit("__", 1)[-1]


def _read_assistant(exchanges: list[Exchange], blocks: list[dict[str, Any]], calls: dict[str, dict[str, Any]]) -> None:
    made = {str(block["id"]): block for block in blocks if block["type"] == "tool_use"}
    calls.update(made)
    exchanges[-1].said += [block["text"] for block in blocks if block["type"] == "text"]
    exchanges[-1].closed = not made


def _read_user(exchanges: list[Exchange], blocks: list[dict[str, Any]], calls: dict[str, dict[str, Any]]) -> None:
    for block in blocks:
        if block["type"] == "tool_result":
            exchanges[-1].results.append(_result(block, calls))
        elif asked := _asked(block):
            # A message sent during a run belongs to the question that is being worked on.
            if exchanges and not exchanges[-1].closed:
                exchanges[-1].question = f"{exchanges[-1].question}\n{asked}".strip()
            else:
                exchanges.append(Exchange(asked))
    if not exchanges:  # a first message without a word, for example an image alone
        exchanges.append(Exchange(""))


def _result(block: dict[str, Any], calls: dict[str, dict[str, Any]]) -> Result:
    call = calls[block["tool_use_id"]]
    text = "\n".join(part.get("text", "") for part in blocks_of(block.get("content")))
    return Result(short_name(call["name"]), dict(call["input"]), text, bool(block.get("is_error")))


def _sent(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The blocks of a message that is not the assistant's; of the system's, only what it passes on from a person."""
    blocks = blocks_of(message["content"])
    if message["role"] == "user":
        return blocks
    return [block for block in blocks if SENT_DURING_A_RUN.search(block.get("text", ""))]


def _asked(block: dict[str, Any]) -> str:
    """What a person said in a block; empty where it is the CLI that speaks."""
    if block["type"] != "text":
        return ""
    if sent := SENT_DURING_A_RUN.search(block["text"]):
        return sent[1].strip()
    return ADDED_BY_CLI.sub("", block["text"]).strip()


def _offered(tools: list[dict[str, Any]]) -> dict[str, str]:
    return {short_name(tool["name"]): tool["name"] for tool in tools if not tool.get("defer_loading")}


def _properties(tools: list[dict[str, Any]]) -> dict[str, frozenset[str]]:
    return {tool["name"]: frozenset(tool.get("input_schema", {}).get("properties", {})) for tool in tools}
