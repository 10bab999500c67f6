"""Block Kit as a table: which fields each block and element has, and how large they may be.

Source of every figure: Slack's Block Kit reference, one page per block, element and composition object.
What is not in the table does not exist here: a type that the product does not send is refused, and that is
better found in a test than in a workspace.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Words:
    """A string of `least` to `most` characters."""

    most: int
    least: int = 1


@dataclass(frozen=True)
class Text:
    """A text object of at most `most` characters: plain_text, and mrkdwn unless `plain`."""

    most: int
    plain: bool = False


@dataclass(frozen=True)
class Flag:
    """true or false."""


@dataclass(frozen=True)
class Number:
    """An integer."""


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    of: tuple[str, ...]


@dataclass(frozen=True)
class Items:
    """An array of `least` to `most` things of one rule."""

    of: Rule
    most: int
    least: int = 1


@dataclass(frozen=True)
class Shape:
    """An object: these fields and no others; of `either`, at least one."""

    required: dict[str, Rule] = field(default_factory=dict)
    optional: dict[str, Rule] = field(default_factory=dict)
    either: tuple[str, ...] = ()


@dataclass(frozen=True)
class Typed:
    """An object whose `type` names its row in `TABLE`, out of these."""

    types: tuple[str, ...]


Rule = Words | Text | Flag | Number | Choice | Items | Shape | Typed

ANY = 3000  # characters of a string whose page names no limit of its own
OPTION = Shape({"text": Text(75), "value": Words(150)}, {"description": Text(75, plain=True), "url": Words(3000)})
OPTIONS = Items(OPTION, 100)
CONFIRM = Shape(
    {
        "title": Text(100, plain=True),
        "text": Text(300),
        "confirm": Text(30, plain=True),
        "deny": Text(30, plain=True),
    },
    {"style": Choice(("primary", "danger"))},
)
ACTION: dict[str, Rule] = {"action_id": Words(255), "confirm": CONFIRM, "focus_on_load": Flag()}
PLACEHOLDER: dict[str, Rule] = {"placeholder": Text(150, plain=True)}
BLOCK: dict[str, Rule] = {"block_id": Words(255, least=0)}
SLACK_FILE = Shape({}, {"id": Words(ANY), "url": Words(ANY)}, ("id", "url"))
STYLE = Shape(
    {},
    {
        name: Flag()
        for name in ("bold", "italic", "strike", "code", "underline", "highlight", "client_highlight", "unlink")
    },
)
FEEDBACK = Shape({"text": Text(75, plain=True), "value": Words(2000)}, {"accessibility_label": Words(75)})

CLICKABLE = ("button", "static_select", "users_select", "overflow", "radio_buttons", "checkboxes")
ACTION_ELEMENTS = (*CLICKABLE, "multi_static_select", "workflow_button")
INPUTS = ("plain_text_input", "static_select", "users_select", "radio_buttons", "checkboxes", "multi_static_select")
INLINE = ("text", "link", "emoji", "user", "usergroup", "channel", "broadcast", "date", "color")
RICH = ("rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote")
CELLS = ("raw_text", "raw_number", "rich_text")

MESSAGE_BLOCKS = (
    "section", "header", "divider", "context", "context_actions", "actions", "image", "markdown",
    "rich_text", "table", "input", "task_card", "plan",
)  # fmt: skip
VIEW_BLOCKS = ("section", "header", "divider", "context", "actions", "image", "rich_text", "input")

RICH_ELEMENTS = Items(Typed(INLINE), 10_000, least=0)
RICH_TEXT = Typed(("rich_text",))

TABLE: dict[str, Shape] = {
    # blocks
    "section": Shape(
        {},
        {
            **BLOCK,
            "text": Text(3000),
            "fields": Items(Text(2000), 10),
            "accessory": Typed((*CLICKABLE, "image", "multi_static_select", "workflow_button")),
            "expand": Flag(),
        },
        ("text", "fields"),
    ),
    "header": Shape({"text": Text(150, plain=True)}, BLOCK),
    "divider": Shape({}, BLOCK),
    "context": Shape({"elements": Items(Typed(("plain_text", "mrkdwn", "image")), 10)}, BLOCK),
    "context_actions": Shape({"elements": Items(Typed(("feedback_buttons", "icon_button")), 5)}, BLOCK),
    "actions": Shape({"elements": Items(Typed(ACTION_ELEMENTS), 25)}, BLOCK),
    "image": Shape(
        {"alt_text": Words(2000)},
        {**BLOCK, "image_url": Words(3000), "slack_file": SLACK_FILE, "title": Text(2000, plain=True)},
        ("image_url", "slack_file"),
    ),
    "markdown": Shape({"text": Words(12_000)}, BLOCK),
    "rich_text": Shape({"elements": Items(Typed(RICH), 1000, least=0)}, BLOCK),
    "table": Shape(
        {"rows": Items(Items(Typed(CELLS), 20), 100)},
        {
            **BLOCK,
            "column_settings": Items(
                Shape({}, {"align": Choice(("left", "center", "right")), "is_wrapped": Flag()}), 20
            ),
        },
    ),
    "input": Shape(
        {"label": Text(2000, plain=True), "element": Typed(INPUTS)},
        {**BLOCK, "hint": Text(2000, plain=True), "optional": Flag(), "dispatch_action": Flag()},
    ),
    "task_card": Shape(
        {
            "task_id": Words(255),
            "title": Words(256),
            "status": Choice(("pending", "in_progress", "complete", "error")),
        },
        {**BLOCK, "details": RICH_TEXT, "output": RICH_TEXT, "sources": Items(Typed(("url",)), 10)},
    ),
    "plan": Shape({"title": Words(256)}, {**BLOCK, "tasks": Items(Typed(("task_card",)), 50, least=0)}),
    # elements that people can use
    "button": Shape(
        {"text": Text(75, plain=True)},
        {
            **ACTION,
            "value": Words(2000, least=0),
            "url": Words(3000),
            "style": Choice(("primary", "danger")),
            "accessibility_label": Words(75),
        },
    ),
    "icon_button": Shape(
        {"icon": Choice(("trash",)), "text": Text(75, plain=True)},
        {
            **ACTION,
            "value": Words(2000, least=0),
            "accessibility_label": Words(75),
            "visible_to_user_ids": Items(Words(30), 100),
        },
    ),
    "feedback_buttons": Shape({"positive_button": FEEDBACK, "negative_button": FEEDBACK}, {"action_id": Words(255)}),
    "workflow_button": Shape({"text": Text(75, plain=True)}, ACTION),
    "static_select": Shape({"options": OPTIONS}, {**ACTION, **PLACEHOLDER, "initial_option": OPTION}),
    "multi_static_select": Shape(
        {"options": OPTIONS}, {**ACTION, **PLACEHOLDER, "initial_options": OPTIONS, "max_selected_items": Number()}
    ),
    "users_select": Shape({}, {**ACTION, **PLACEHOLDER, "initial_user": Words(30)}),
    "overflow": Shape({"options": Items(OPTION, 5)}, ACTION),
    "radio_buttons": Shape({"options": Items(OPTION, 10)}, {**ACTION, "initial_option": OPTION}),
    "checkboxes": Shape({"options": Items(OPTION, 10)}, {**ACTION, "initial_options": Items(OPTION, 10)}),
    "plain_text_input": Shape(
        {},
        {
            **ACTION,
            **PLACEHOLDER,
            "multiline": Flag(),
            "initial_value": Words(3000),
            "min_length": Number(),
            "max_length": Number(),
        },
    ),
    "plain_text": Shape({"text": Words(2000)}, {"emoji": Flag()}),
    "mrkdwn": Shape({"text": Words(2000)}, {"verbatim": Flag()}),
    "url": Shape({"url": Words(3000), "text": Words(ANY)}, {"icon_url": Words(3000)}),
    "raw_text": Shape({"text": Words(10_000)}),
    "raw_number": Shape({"value": Number()}, {"text": Words(ANY)}),
    # rich text
    "rich_text_section": Shape({"elements": RICH_ELEMENTS}),
    "rich_text_list": Shape(
        {"elements": Items(Typed(("rich_text_section",)), 1000), "style": Choice(("bullet", "ordered"))},
        {"indent": Number(), "offset": Number(), "border": Number()},
    ),
    "rich_text_preformatted": Shape({"elements": RICH_ELEMENTS}, {"border": Number(), "language": Words(ANY)}),
    "rich_text_quote": Shape({"elements": RICH_ELEMENTS}, {"border": Number()}),
    "text": Shape({"text": Words(40_000)}, {"style": STYLE}),
    "link": Shape({"url": Words(3000)}, {"text": Words(ANY), "unsafe": Flag(), "style": STYLE}),
    "emoji": Shape({"name": Words(100)}, {"unicode": Words(100), "skin_tone": Number()}),
    "user": Shape({"user_id": Words(30)}, {"style": STYLE}),
    "usergroup": Shape({"usergroup_id": Words(30)}, {"style": STYLE}),
    "channel": Shape({"channel_id": Words(30)}, {"style": STYLE}),
    "broadcast": Shape({"range": Choice(("here", "channel", "everyone"))}),
    "date": Shape({"timestamp": Number(), "format": Words(ANY)}, {"url": Words(3000), "fallback": Words(ANY)}),
    "color": Shape({"value": Words(30)}),
}
