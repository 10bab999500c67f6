"""For every row of the stand-in's table of blocks a message that shows it, and where it is to be seen."""

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Sample:
    """Blocks that contain the type, and what shows it: a CSS selector, and the words in it."""

    blocks: list[Json]
    selector: str
    words: str = ""


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str, **more: Any) -> Json:
    return {"type": "mrkdwn", "text": text, **more}


def option(text: str, value: str) -> Json:
    return {"text": plain(text), "value": value}


OPTIONS = [option("First choice", "one"), option("Second choice", "two")]


def section(text: str, **more: Any) -> Json:
    return {"type": "section", "text": mrkdwn(text), **more}


def button(text: str, action: str, **more: Any) -> Json:
    return {"type": "button", "text": plain(text), "action_id": action, **more}


def actions(*elements: Json) -> list[Json]:
    return [{"type": "actions", "elements": list(elements)}]


def rich(*parts: Json) -> Json:
    return {"type": "rich_text", "elements": list(parts)}


def line(*elements: Json) -> Json:
    return {"type": "rich_text_section", "elements": list(elements)}


def words(text: str, **style: bool) -> Json:
    return {"type": "text", "text": text, **({"style": style} if style else {})}


def task(name: str, status: str, **more: Any) -> Json:
    return {"type": "task_card", "task_id": name, "title": f"Task {name}", "status": status, **more}


def accessory(element: Json) -> list[Json]:
    return [section("Beside it stands a control", accessory=element)]


def inside(element: Json) -> list[Json]:
    return [rich(line(words("before "), element, words(" after")))]


def field(element: Json) -> list[Json]:
    return [{"type": "input", "label": plain("A question"), "element": element}]


TABLE = {
    "type": "table",
    "column_settings": [{"align": "left"}, {"align": "right"}],
    "rows": [
        [{"type": "raw_text", "text": "Service"}, {"type": "raw_text", "text": "Errors"}],
        [{"type": "raw_text", "text": "api-server"}, {"type": "raw_number", "value": 42, "text": "42 %"}],
        [rich(line(words("auth-svc", bold=True))), {"type": "raw_number", "value": 7}],
    ],
}
STEPS = [
    task("read", "complete", output=rich(line(words("three lines found")))),
    task("ask", "in_progress", details=rich(line(words("asking Prometheus")))),
    task("wait", "pending"),
    task("write", "error", sources=[{"type": "url", "url": "https://example.com/run", "text": "A source"}]),
]
FEEDBACK = {
    "type": "feedback_buttons",
    "action_id": "rate",
    "positive_button": {"text": plain("Good answer"), "value": "good"},
    "negative_button": {"text": plain("Bad answer"), "value": "bad"},
}
STYLED = line(
    *(words(f"{name} ", **{name: True}) for name in ("bold", "italic", "strike", "code", "underline", "highlight"))
)

GALLERY: dict[str, Sample] = {
    "section": Sample(
        [section("*Pool* is _full_ ~again~ `now`", fields=[mrkdwn("*Used*\n100 %"), plain("Waiting: 12")])],
        ".block-section .fields",
        "Waiting: 12",
    ),
    "header": Sample(
        [{"type": "header", "text": plain("Firing: api-server :fire:")}], ".block-header", "Firing: api-server 🔥"
    ),
    "divider": Sample([section("above"), {"type": "divider"}, section("below")], "hr[data-block]"),
    "context": Sample(
        [{"type": "context", "elements": [mrkdwn("7 tool calls"), plain("12 s")]}], ".block-context", "7 tool calls"
    ),
    "context_actions": Sample([section("rated"), {"type": "context_actions", "elements": [FEEDBACK]}], ".feedback"),
    "actions": Sample(actions(button("Do it", "do")), ".block-actions", "Do it"),
    "image": Sample(
        [{"type": "image", "image_url": "https://example.com/a.png", "alt_text": "Error rate", "title": plain("Rate")}],
        ".block-image",
        "Error rate",
    ),
    "markdown": Sample(
        [{"type": "markdown", "text": "## Cause\n\n**DB_POOL_SIZE** is `1`\n\n1. one\n2. two\n\n> quoted"}],
        ".block-header",
        "Cause",
    ),
    "rich_text": Sample([rich(line(words("plain words")))], ".rich", "plain words"),
    "table": Sample([TABLE], ".block-table td.align-right", "42 %"),
    "input": Sample(field({"type": "plain_text_input", "action_id": "why"}), ".block-input label", "A question"),
    "task_card": Sample([STEPS[0]], ".task .task-title", "Task read"),
    "plan": Sample(
        [{"type": "plan", "title": "Looking into it", "tasks": STEPS}], ".plan summary .plan-title", "Looking into it"
    ),
    "button": Sample(actions(button("Restart", "restart", style="danger")), ".button.danger", "Restart"),
    "icon_button": Sample(
        [
            section("erasable"),
            {
                "type": "context_actions",
                "elements": [{"type": "icon_button", "icon": "trash", "text": plain("Erase"), "action_id": "erase"}],
            },
        ],
        ".block-context-actions button[aria-label='Erase']",
    ),
    "feedback_buttons": Sample(
        [section("rated"), {"type": "context_actions", "elements": [FEEDBACK]}], "button[aria-label='Good answer']"
    ),
    "workflow_button": Sample(
        actions({"type": "workflow_button", "text": plain("Run the workflow"), "action_id": "flow"}),
        ".block-actions",
        "Run the workflow",
    ),
    "static_select": Sample(
        accessory({"type": "static_select", "action_id": "pick", "options": OPTIONS, "placeholder": plain("Pick one")}),
        "select[aria-label='Beside it stands a control']",
        "Second choice",
    ),
    "multi_static_select": Sample(
        accessory({"type": "multi_static_select", "action_id": "many", "options": OPTIONS}),
        ".choices input[type=checkbox] + span",
        "First choice",
    ),
    "users_select": Sample(accessory({"type": "users_select", "action_id": "who"}), ".accessory select", "Grace"),
    "overflow": Sample(
        accessory({"type": "overflow", "action_id": "more", "options": OPTIONS}), "button[aria-haspopup='menu']"
    ),
    "radio_buttons": Sample(
        actions({"type": "radio_buttons", "action_id": "radio", "options": OPTIONS, "initial_option": OPTIONS[1]}),
        "input[type=radio]:checked + span",
        "Second choice",
    ),
    "checkboxes": Sample(
        actions({"type": "checkboxes", "action_id": "check", "options": OPTIONS}),
        "input[type=checkbox] + span",
        "First choice",
    ),
    "plain_text_input": Sample(
        field({"type": "plain_text_input", "action_id": "w", "multiline": True, "placeholder": plain("Because")}),
        "textarea[placeholder='Because']",
    ),
    "plain_text": Sample(
        [{"type": "context", "elements": [plain("*not bold* :eyes:")]}], ".block-context", "*not bold* 👀"
    ),
    "mrkdwn": Sample([section("see <https://example.com/x|the page>")], ".words a", "the page"),
    "url": Sample([STEPS[3]], ".task-sources a.chip", "A source"),
    "raw_text": Sample([TABLE], ".block-table th", "Service"),
    "raw_number": Sample([TABLE], ".block-table tr:last-child td.align-right", "7"),
    "rich_text_section": Sample([rich(STYLED)], ".rich-section strong", "bold"),
    "rich_text_list": Sample(
        [
            rich(
                {
                    "type": "rich_text_list",
                    "style": "ordered",
                    "elements": [line(words("first")), line(words("second"))],
                },
                {"type": "rich_text_list", "style": "bullet", "indent": 1, "elements": [line(words("below"))]},
            )
        ],
        "ol.rich-list li:last-child",
        "second",
    ),
    "rich_text_preformatted": Sample(
        [
            rich(
                {
                    "type": "rich_text_preformatted",
                    "language": "ini",
                    "elements": [words("DB_POOL_SIZE=20\n  indented")],
                }
            )
        ],
        "pre[data-language='ini'] code",
        "DB_POOL_SIZE=20",
    ),
    "rich_text_quote": Sample(
        [rich({"type": "rich_text_quote", "elements": [words("they said")]})], "blockquote", "they said"
    ),
    "text": Sample([rich(STYLED)], ".rich-section code", "code"),
    "link": Sample(inside({"type": "link", "url": "https://example.com/y", "text": "a link"}), ".rich a", "a link"),
    "emoji": Sample(inside({"type": "emoji", "name": "tada"}), ".rich-section", "🎉"),
    "user": Sample(inside({"type": "user", "user_id": "U0GRACE001"}), ".mention", "@Grace"),
    "usergroup": Sample(inside({"type": "usergroup", "usergroup_id": "S0ONCALL001"}), ".mention.mine", "@S0ONCALL001"),
    "channel": Sample(inside({"type": "channel", "channel_id": "C0PLATFORM1"}), "a.mention", "#platform-oncall"),
    "broadcast": Sample(inside({"type": "broadcast", "range": "here"}), ".mention.mine", "@here"),
    "date": Sample(
        inside({"type": "date", "timestamp": 1_700_000_000, "format": "{date_num} {time_secs}", "fallback": "then"}),
        ".rich time",
        "2023-11-14 22:13:20",
    ),
    "color": Sample(inside({"type": "color", "value": "#ff8800"}), ".color", "#ff8800"),
}
