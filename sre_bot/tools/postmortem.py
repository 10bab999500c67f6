"""The blameless post-mortem: its sections, and the Confluence page that they become.

The page carries a reference in its last line: of its content, or, where the bot's record supplied a part of that, of
the incident, since a record grows from call to call. That is how a repeated call knows a page that it has made before,
also after people have edited it and under whatever title it was put.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from sre_bot.clients.confluence import TITLE_LIMIT
from sre_bot.errors import BadRequest
from sre_bot.tools.masking import mask_secrets
from sre_bot.tools.page_markup import clean, render_markdown, serialize
from sre_bot.tools.spec import shorten

LABEL = "postmortem"
"""Every post-mortem has it; it is what the list of post-mortems goes by."""

SECTIONS = {
    "summary": "Summary",
    "impact": "Impact",
    "timeline": "Timeline (UTC)",
    "root_cause": "Root cause",
    "resolution": "Resolution",
    "what_went_well": "What went well",
    "action_items": "Action items",
}

_TITLE_LIMIT = TITLE_LIMIT - 4  # room for ` (9)`
_SECTION_LIMIT = 20_000  # characters; about ten printed pages
_MOST_LABELS = 10
_LABEL_LIMIT = 100  # Confluence takes 255; nobody reads such a label
_BLAMELESS = "This post-mortem is blameless: it looks for what to change in the system, not for who made a mistake."
_EMPTY = "Not established."
_PUBLISHER = "Published by the SRE bot. Reference: "
_CAUSE_LIMIT = 500  # characters of the cause in a note
_INLINE = {"a", "br", "code", "del", "em", "strong"}
_TASK = re.compile(r"^\s*\[([ xX])\]\s+")


@dataclass(frozen=True)
class Postmortem:
    """A post-mortem that can be published; make it with `draft`."""

    title: str
    sections: Mapping[str, str]
    labels: tuple[str, ...]
    incident: str = ""

    @property
    def reference(self) -> str:
        """Names the incident that it is of, where that is known, and else this content."""
        if self.incident:
            return self.incident
        content = json.dumps([self.title, *(self.sections[key] for key in SECTIONS)])
        return f"pm-{hashlib.sha256(content.encode()).hexdigest()[:12]}"

    def titles(self) -> Iterator[str]:
        """The title and its alternatives, in the order in which they are tried."""
        yield self.title
        for number in range(2, 10):
            yield f"{self.title} ({number})"

    def to_text(self) -> str:
        """The whole page for a person to read before it is published: the very sections that are, as Markdown."""
        sections = [f"## {heading}\n\n{self.sections[key] or _EMPTY}" for key, heading in SECTIONS.items()]
        footer = f"{_PUBLISHER}{self.reference}\nLabels: {', '.join(self.labels)}"
        return "\n\n".join([f"# {self.title}", _BLAMELESS, *sections, "---", footer])

    def note(self, link: str) -> str:
        """What an incident that is resolved with it is told, in plain text."""
        cause = shorten(self.sections["root_cause"], _CAUSE_LIMIT) or _EMPTY
        return f"Resolved by the SRE bot. Root cause: {cause}\nPost-mortem: {link}"

    def to_storage(self) -> str:
        """The page's body in Confluence's storage format."""
        page = ET.Element("div")
        ET.SubElement(ET.SubElement(page, "p"), "em").text = _BLAMELESS
        for key, heading in SECTIONS.items():
            ET.SubElement(page, "h2").text = heading
            content = render_markdown(self.sections[key] or _EMPTY)
            if key == "action_items":
                _turn_lists_into_tasks(content)
            page.extend(content)
        ET.SubElement(page, "hr")
        footer = ET.SubElement(page, "p")
        footer.text = _PUBLISHER
        ET.SubElement(footer, "code").text = self.reference
        return serialize(page)


def compose(sections: Mapping[str, str], recorded: Mapping[str, str] | None) -> dict[str, str]:
    """A post-mortem's sections: the caller's, and what code recorded in place of its timeline and below its resolution.

    The same for the preview, which a person approves, and for the page.
    """
    if not recorded:
        return dict(sections)
    resolution = "\n\n".join(filter(None, (sections["resolution"].strip(), recorded["resolution"])))
    return {**sections, "timeline": recorded["timeline"], "resolution": resolution}


def draft(title: str, sections: Mapping[str, str], labels: str, incident: str = "") -> Postmortem:
    """A post-mortem from a tool's arguments; what looks like a secret in them is masked.

    Args:
        title: of the page.
        sections: by the keys of `SECTIONS`.
        labels: separated by commas.
        incident: names the incident that it is of; empty where nothing is recorded of it.

    Raises:
        BadRequest: a title or section that cannot be published; nothing is shortened silently.
    """
    one_line = shorten(mask_secrets(title), _TITLE_LIMIT + 1)
    if not one_line:
        raise BadRequest("title is empty. Nothing was published. Name the service and what happened to it.")
    if len(one_line) > _TITLE_LIMIT:
        raise BadRequest(f"title is longer than {_TITLE_LIMIT} characters. Nothing was published. Shorten it.")
    for key, text in sections.items():
        if len(text) > _SECTION_LIMIT:
            raise BadRequest(
                f"{key} has {len(text):,} characters, at most {_SECTION_LIMIT:,} are taken. Nothing was published. "
                f"Keep what a reader needs."
            )
    masked = {key: mask_secrets(clean(text)) for key, text in sections.items()}
    return Postmortem(one_line, masked, _labels(labels), incident)


def _labels(text: str) -> tuple[str, ...]:
    """Confluence's labels are lower case and without blanks and most punctuation."""
    named = (re.sub(r"[^\w-]+", "-", part.lower()).strip("-")[:_LABEL_LIMIT] for part in text.split(","))
    labels = tuple(dict.fromkeys([LABEL, *filter(None, named)]))
    if len(labels) > _MOST_LABELS:
        raise BadRequest(f"{len(labels)} labels; at most {_MOST_LABELS} are taken, {LABEL} among them.")
    return labels


def _turn_lists_into_tasks(content: ET.Element) -> None:
    """Make the items of outer lists Confluence tasks, which can be ticked and assigned.

    Numbered lists stay, since tasks have no numbers, and so do lists with blocks in them, which tasks cannot hold.
    """
    number = 0
    for position, child in enumerate(list(content)):
        if child.tag != "ul" or not all(map(_is_one_line, child)):
            continue
        tasks = ET.Element("ac:task-list")
        for item in child:
            number += 1
            tasks.append(_task(item[0] if len(item) and item[0].tag == "p" else item, number))
        content[position] = tasks


def _is_one_line(item: ET.Element) -> bool:
    inner = list(item)
    if len(inner) == 1 and inner[0].tag == "p":
        inner = list(inner[0])
    return all(element.tag in _INLINE for element in inner)


def _task(line: ET.Element, number: int) -> ET.Element:
    ticked = _TASK.match(line.text or "")
    task = ET.Element("ac:task")
    ET.SubElement(task, "ac:task-id").text = str(number)
    ET.SubElement(task, "ac:task-status").text = "complete" if ticked and ticked[1] != " " else "incomplete"
    body = ET.SubElement(task, "ac:task-body")
    body.text = _TASK.sub("", line.text or "")
    body.extend(line)
    return task
