"""Checks blocks against the table, and answers as Slack does: every fault, each with its JSON pointer.

Slack: `invalid_blocks` with `must be less than 3001 characters [json-pointer:/blocks/0/text/text]`.
The limits that span several blocks (50 a message, 12,000 characters of Markdown, unique ids) are here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sandbox.slack.block_table import (
    TABLE,
    Choice,
    Flag,
    Items,
    Number,
    Rule,
    Shape,
    Text,
    Typed,
    Words,
)

MESSAGE_MOST_BLOCKS = 50
VIEW_MOST_BLOCKS = 100
MARKDOWN_MOST_CHARACTERS = 12_000  # cumulative over the markdown blocks of one payload
TABLE_MOST_CHARACTERS = 10_000

Faults = Iterator[str]


def faults_of(blocks: list[Any], allowed: tuple[str, ...], most: int, at: str = "/blocks") -> list[str]:
    """Every fault of `blocks`, worded as Slack's `response_metadata.messages` without `[ERROR]`."""
    found = list(_check(blocks, Items(Typed(allowed), most, least=0), at))
    return found or list(_check_together(blocks, at))


def _said(message: str, at: str) -> str:
    return f"{message} [json-pointer:{at}]"


def _check(value: Any, rule: Rule, at: str) -> Faults:  # noqa: ANN401 - JSON of any shape
    return CHECKS[type(rule)](value, rule, at)


def _check_flag(value: Any, _: Flag, at: str) -> Faults:  # noqa: ANN401
    if not isinstance(value, bool):
        yield _said("must provide a boolean", at)


def _check_number(value: Any, _: Number, at: str) -> Faults:  # noqa: ANN401
    if isinstance(value, bool) or not isinstance(value, int):
        yield _said("must provide an integer", at)


def _check_choice(value: Any, rule: Choice, at: str) -> Faults:  # noqa: ANN401
    if value not in rule.of:
        yield _said(f"must be a valid enum value, one of {', '.join(rule.of)}", at)


def _check_words(value: Any, rule: Words, at: str) -> Faults:  # noqa: ANN401
    if not isinstance(value, str):
        yield _said("must provide a string", at)
    elif len(value) < rule.least:
        yield _said(f"must be more than {rule.least - 1} characters", at)
    elif len(value) > rule.most:
        yield _said(f"must be less than {rule.most + 1} characters", at)


def _check_text(value: Any, rule: Text, at: str) -> Faults:  # noqa: ANN401
    if not isinstance(value, dict):
        yield _said("must provide an object", at)
        return
    kind = value.get("type")
    if kind not in (("plain_text",) if rule.plain else ("plain_text", "mrkdwn")):
        yield _said(f"unsupported type: {kind}", f"{at}/type")
        return
    extra: dict[str, Rule] = {"emoji": Flag()} if kind == "plain_text" else {"verbatim": Flag()}
    yield from check_shape(value, Shape({"text": Words(rule.most)}, extra), at, typed=True)


def _check_items(value: Any, rule: Items, at: str) -> Faults:  # noqa: ANN401
    if not isinstance(value, list):
        yield _said("must provide an array", at)
        return
    if len(value) > rule.most:
        yield _said(f"no more than {rule.most} items allowed", at)
    if len(value) < rule.least:
        yield _said(f"must contain at least {rule.least} items", at)
    for number, item in enumerate(value):
        yield from _check(item, rule.of, f"{at}/{number}")


def _check_typed(value: Any, rule: Typed, at: str) -> Faults:  # noqa: ANN401
    if not isinstance(value, dict):
        yield _said("must provide an object", at)
    elif "type" not in value:
        yield _said("missing required field: type", at)
    elif value["type"] not in rule.types:
        yield _said(f"unsupported type: {value['type']}", f"{at}/type")
    else:
        yield from check_shape(value, TABLE[value["type"]], at, typed=True)


def check_shape(value: Any, rule: Shape, at: str, *, typed: bool = False) -> Faults:  # noqa: ANN401
    """Every fault of an object; `typed` lets its `type` pass, which was looked at before."""
    if not isinstance(value, dict):
        yield _said("must provide an object", at)
        return
    known = {**rule.required, **rule.optional}
    for name in rule.required.keys() - value.keys():
        yield _said(f"missing required field: {name}", at)
    if rule.either and not any(name in value for name in rule.either):
        yield _said(f"must define either {' or '.join(f'`{name}`' for name in rule.either)}", at)
    for name, part in value.items():
        if name in known:
            yield from _check(part, known[name], f"{at}/{name}")
        elif not (typed and name == "type"):
            yield _said(f"invalid additional property: {name}", at)


CHECKS: dict[type[Rule], Callable[[Any, Any, str], Faults]] = {
    Words: _check_words,
    Text: _check_text,
    Flag: _check_flag,
    Number: _check_number,
    Choice: _check_choice,
    Items: _check_items,
    Shape: check_shape,
    Typed: _check_typed,
}


def _check_together(blocks: list[dict[str, Any]], at: str) -> Faults:
    """What holds across blocks; they are well-formed one by one."""
    seen: set[str] = set()
    for number, block in enumerate(blocks):
        name = block.get("block_id")
        if name and name in seen:
            yield _said(f'`block_id` "{name}" already exists', f"{at}/{number}/block_id")
        seen.add(name or "")
        yield from _check_action_ids(block, f"{at}/{number}")
    if sum(len(block["text"]) for block in blocks if block["type"] == "markdown") > MARKDOWN_MOST_CHARACTERS:
        yield _said(f"markdown blocks must be less than {MARKDOWN_MOST_CHARACTERS + 1} characters together", at)
    tables = [number for number, block in enumerate(blocks) if block["type"] == "table"]
    if len(tables) > 1:
        yield _said("only_one_table_allowed", f"{at}/{tables[1]}")
    for number in tables:
        if _characters(blocks[number]["rows"]) > TABLE_MOST_CHARACTERS:
            yield _said(f"must be less than {TABLE_MOST_CHARACTERS + 1} characters", f"{at}/{number}/rows")


def _check_action_ids(block: dict[str, Any], at: str) -> Faults:
    seen: set[str] = set()
    elements = block.get("elements", []) if block["type"] in ("actions", "context_actions") else []
    for number, element in enumerate(elements):
        name = element.get("action_id")
        if name in seen:
            yield _said(f'`action_id` "{name}" already exists', f"{at}/elements/{number}/action_id")
        if name:
            seen.add(name)


def _characters(value: Any) -> int:  # noqa: ANN401
    """The characters of every `text` in a cell, however deep."""
    if isinstance(value, list):
        return sum(map(_characters, value))
    if isinstance(value, dict):
        return sum(len(v) if k == "text" and isinstance(v, str) else _characters(v) for k, v in value.items())
    return 0
