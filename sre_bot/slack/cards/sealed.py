"""Sealed words as they are: preformatted text that Slack does not parse, in which nothing is other than it looks."""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from sre_bot.incidents.model import Approval
from sre_bot.slack.wording import cut

PART = 2_900  # characters of one preformatted block; Slack takes 3,000 of a section, and says nothing of these
PARTS = 4

UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Kinds of characters that show nothing, or change how the others are shown."""
BLANK = frozenset("\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u2800\u3164\uffa0")
"""Characters of other kinds that show nothing (Unicode: Default_Ignorable_Code_Point, and the empty Braille cell)."""
CONTROL = re.compile(r"<(?=[!@#])")
"""What would begin a control sequence of Slack's; preformatted text has no escapes, so it is parted."""

CALL, DIFF, PREVIEW = "The exact call", "What changes in the file", "What is sent or published"

Block = dict[str, Any]


def call_text(approval: Approval) -> str:
    """The sealed call as it is, one argument a line."""
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in sorted(approval.arguments.items())]
    return "\n".join([approval.tool, *(f"  {line}" for line in lines)])


def parts_of(approval: Approval) -> Mapping[str, str]:
    """What is approved, by its label: the call, and what the plan says of it in the words of files and of the model."""
    return {CALL: call_text(approval), DIFF: approval.plan.diff, PREVIEW: approval.plan.preview}


def is_cut(approval: Approval) -> bool:
    """Whether its card has to leave something out."""
    return any(len(visible(text)) > PART * PARTS for text in parts_of(approval).values())


def whole(approval: Approval) -> str:
    """All that is approved, as a text file; what would hide is spelled out as on the card."""
    plan = approval.plan
    facts = {
        f"Proposal #{approval.id}": plan.summary,
        **parts_of(approval),
        "Whom it touches": "\n".join(plan.affects),
        "The way back": plan.rollback,
        "What will prove it": plan.check,
    }
    return "\n\n".join(f"== {label} ==\n{visible(text)}" for label, text in facts.items() if text) + "\n"


def file_name(approval: Approval) -> str:
    """The file that has all of a proposal; no other in its thread has that name."""
    return f"proposal-{approval.id}.txt"


def visible(text: str) -> str:
    """Text that is no other than it looks: what would turn, hide or notify is spelled out."""
    spelled = "".join(_spell(char) if _is_unseen(char) else char for char in text)
    return CONTROL.sub("<\u2060", spelled)


def labelled(label: str, text: str, file: str = "", most: int = PARTS) -> Iterator[Block]:
    """A label and preformatted text, in at most so many blocks; a cut is said, and which file has all of it."""
    if not text:
        return
    yield section(f"*{label}*")
    text = visible(text)
    shown = text[: PART * most]
    for start in range(0, len(shown), PART):
        pre = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": shown[start : start + PART]}]}
        yield {"type": "rich_text", "elements": [pre]}
    if len(text) > len(shown):
        where = f": the file `{file}` in this thread has all of it" if file else ""
        yield section(f"_{len(text) - len(shown):,} more characters are not shown here{where}._")


def section(text: str) -> Block:
    """A section of mrkdwn whose words are defused already."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut(text, 2_900), "verbatim": True}}


def _is_unseen(char: str) -> bool:
    hidden = char in BLANK or "\ufe00" <= char <= "\ufe0f" or "\U000e0000" <= char <= "\U000e0fff"
    return hidden or (unicodedata.category(char) in UNSEEN and char not in "\n\t")


def _spell(char: str) -> str:
    return f"\\u{ord(char):04x}"
