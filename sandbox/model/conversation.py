"""A request's messages, read as exchanges: what was asked, which tools were called, what they answered.

The playbook sees nothing but this.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
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


# The id under which the bot keeps a result: before its words or, of a call that failed, in a reminder of the CLI's.
EVIDENCE = re.compile(r"\A\[(E\d+)\] ?")
FAILED_EVIDENCE = re.compile(
    r"PostToolUseFailure:(?P<tool>\S+) hook additional context: (?P<id>E\d+), the call with (?P<call>.*)"
)


@dataclass(frozen=True)
class Result:
    """One tool call with its answer. `tool` is the short name, without the `mcp__server__` prefix; `evidence` is the id
    under which it may be cited, if it has one.
    """

    tool: str
    arguments: dict[str, Any]
    text: str
    failed: bool
    evidence: str = ""


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
            _read_ids(exchanges[-1].results, blocks)
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
    found = EVIDENCE.match(text)
    name, arguments, failed = short_name(call["name"]), dict(call["input"]), bool(block.get("is_error"))
    return Result(name, arguments, text[found.end() :] if found else text, failed, found[1] if found else "")


def _read_ids(results: list[Result], blocks: list[dict[str, Any]]) -> None:
    """Give calls that failed the ids that the bot's hook tells of, by tool and arguments."""
    for told in (found for block in blocks for found in FAILED_EVIDENCE.finditer(block.get("text", ""))):
        for number, result in enumerate(results):
            made = json.dumps(result.arguments, ensure_ascii=False)
            same = short_name(told["tool"]) == result.tool and made.startswith(told["call"].rstrip("…")[:100])
            if same and result.failed and not result.evidence:
                results[number] = replace(result, evidence=told["id"])
                break


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
