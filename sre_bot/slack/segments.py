"""One message of a streamed reply: what of the text it has, and what it needs next. Pure.

A stream can only be added to, so where a message ends is decided by what has been said already: never before that. Tool
calls are cards, which can change; they stand beside the text, and weigh as well.
"""

from dataclasses import dataclass, field, replace

from sre_bot.slack.defusal import defuse, defuse_growing
from sre_bot.slack.pages import MIN_BUDGET, Page, Place, cut_at, next_page, weigh
from sre_bot.slack.reply import Flow, Tool, render_parts
from sre_bot.slack.streams import Chunk
from sre_bot.slack.wording import one_line

TITLE_LIMIT = 120  # characters of a card; Slack takes some 256, a phone shows about 40 on a line
MAX_CARDS = 45  # of a message. Slack: 50 rows
CARD = 12  # bytes that a card is taken to weigh beside its title
WHOLE_LINES = 0.75  # of a message's budget or time, after which only whole lines are said: it may end at each
ELSEWHERE = " · goes on below"
WORKING_TITLE = "Working on it …"
LEFT_TITLE = "Goes on below"
SMALLEST_BUDGET = 600

LEFT = "pending"
STATUS = {None: "in_progress", True: "complete", False: "error"}


@dataclass(slots=True)
class Segment:
    """What Slack has of a message.

    Attributes:
        number: which message of the reply it is.
        section: which section of the reply it belongs to.
        place: where in that section's text it begins.
        began: when, by the writer's clock.
        sent: how far the text is said.
        said: the text as it was sent.
        cards: title and status of each tool call that is shown, by id.
        title: of the plan above the cards.
        ts: the message's timestamp.
        doubt: an answer was lost, so that the text has to be compared when the stream is over.
        twice: bytes that may be there a second time, since they were sent again.
        spoiled: comparing cannot help, so that the message has to be written again then.
        pending: the step whose answer was lost, until it is known what became of it.
        closing: the last step, once it was tried; `lost` where its answer was.
        bare: Slack refuses what stands below the text.
        broken: Slack refuses more than that: the stream has to end, and the message is edited from then on.
        stopped: the stream is over.
    """

    number: int
    section: int
    place: Place
    began: float
    sent: int
    said: str = ""
    cards: dict[str, tuple[str, str]] = field(default_factory=dict)
    title: str = ""
    ts: str | None = None
    doubt: bool = False
    spoiled: bool = False
    twice: int = 0
    pending: "Step | None" = None
    closing: "Step | None" = None
    lost: bool = False
    bare: bool = False
    broken: bool = False
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be said next.

    Attributes:
        text: to be added.
        upto: how far the section's text is said then.
        cards: to be shown, by id.
        title: of the plan.
        ends: where the next message begins, if this is the last step of this one.
    """

    text: str
    upto: int
    cards: dict[str, tuple[str, str]]
    title: str
    ends: Place | None

    def chunks(self, segment: Segment) -> list[Chunk]:
        """What has to be sent, which is nothing where the message says it all."""
        chunks: list[Chunk] = []
        if self.title != segment.title:
            chunks.append({"type": "plan_update", "title": self.title})
        for name, (title, status) in self.cards.items():
            if segment.cards.get(name) != (title, status):
                chunks.append({"type": "task_update", "id": name, "title": title, "status": status})
        if self.text:
            chunks.append({"type": "markdown_text", "text": self.text})
        return chunks

    def apply(self, segment: Segment) -> None:
        """Slack has it."""
        segment.said += self.text
        segment.sent = self.upto
        segment.cards |= self.cards
        segment.title = self.title


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What decides beside the text how a message goes on.

    Attributes:
        budget: weighted bytes of a message.
        title: of the plan, while the message grows or when the reply ends.
        age: of the message, in shares of the time that it may live; from 1 on it has to end.
        over: no more is added to its section.
    """

    budget: int
    title: str
    age: float
    over: bool


def known_text(flow: Flow) -> str:
    """The section's text, safe to send, as far as nothing that follows changes it."""
    return defuse_growing(flow.text) if flow.growing else defuse(flow.text)


def next_step(segment: Segment, flow: Flow, shown: set[str], around: Circumstances) -> Step:
    """What a message needs next.

    Args:
        segment: what Slack has of it.
        flow: its section as it is now.
        shown: ids of the tool calls whose last state is in an earlier message.
        around: what else decides.
    """
    text = known_text(flow)
    if segment.sent == segment.place.at and not segment.place.context.fence:
        segment.place = segment.place._replace(at=_skip_blank(text, segment.place.at))
        segment.sent = segment.place.at
    tools, bound = _choose_tools(segment, flow, shown, around.budget)
    weight = sum(weigh(title) + CARD for title, _ in tools.values()) + weigh(around.title)
    room = max(around.budget - weight - segment.twice, MIN_BUDGET)
    page, following = next_page(text, segment.place, room, least=segment.sent)
    if bound is not None and bound < following.at:
        page, following = cut_at(text, segment.place, max(bound, segment.sent), room)
    elif following.at == len(text) and around.age >= 1 and not around.over:
        page, following = cut_at(text, segment.place, segment.sent, room)
    elif following.at == len(text):
        following = Place(_whole_lines(segment, text, page, room, around, growing=flow.growing), following.context)
        page = page._replace(body=text[segment.place.at : following.at])
        return _step(segment, page, following, tools, around, ends=around.over)
    return _step(segment, page, following, tools, around, ends=True)


def inline(segment: Segment, flow: Flow, end: Place | None) -> str:
    """The message as text with its tool calls in their places, for where it cannot be a stream."""
    text = known_text(flow)
    upto = end.at if end else len(text)
    page, _ = cut_at(text, segment.place, upto)
    by_id = {tool.id: (at, tool) for at, tool in flow.tools}
    calls = [
        (min(max(by_id[name][0], segment.place.at), upto), _as_shown(by_id[name][1], status))
        for name, (_, status) in segment.cards.items()
    ]
    parts: list[str | Tool] = []
    opening, at = page.opening, segment.place.at
    for place, tool in sorted(calls, key=lambda call: call[0]):
        parts += [opening + text[at:place] if place > at else "", tool]
        opening, at = "" if place > at else opening, max(place, at)
    rest = opening + text[at:upto] + (page.closing if end else "") if upto > at else ""
    return "\n\n".join(render_parts([*parts, rest]))


def _step(
    segment: Segment,
    page: Page,
    following: Place,
    tools: dict[str, tuple[str, str]],
    around: Circumstances,
    *,
    ends: bool,
) -> Step:
    new = page.body[segment.sent - segment.place.at :]
    opening = page.opening if segment.sent == segment.place.at and new.strip() else ""
    if not new.strip() and not segment.said:
        new = ""  # only white space: the next message, or the next step, begins with what follows
    closing = page.closing if ends and (segment.said or new) else ""
    if ends:
        tools = leave(tools)
    title = LEFT_TITLE if ends and around.title == WORKING_TITLE else around.title
    return Step(opening + new + closing, following.at, tools, title, following if ends else None)


def leave(cards: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """The cards of a message that ends: a call that runs is shown again in the next."""
    return {
        name: (title + ELSEWHERE, LEFT) if status == STATUS[None] else (title, status)
        for name, (title, status) in cards.items()
    }


def _as_shown(tool: Tool, status: str) -> Tool:
    """A call as a message shows it that may have ended before the call did."""
    return replace(tool, ok=None, left=True) if status == LEFT else tool


def _choose_tools(
    segment: Segment, flow: Flow, shown: set[str], budget: int
) -> tuple[dict[str, tuple[str, str]], int | None]:
    """The cards of a message, and the place in the text before which it has to end where there are too many."""
    cards: dict[str, tuple[str, str]] = {}
    weight = 0
    for at, tool in flow.tools:
        if tool.id in shown and tool.id not in segment.cards:
            continue
        title = one_line(defuse(tool.line), TITLE_LIMIT)
        weight += weigh(title) + CARD
        if cards and tool.id not in segment.cards and (len(cards) >= MAX_CARDS or weight > budget // 2):
            return cards, at
        cards[tool.id] = (title, STATUS[tool.ok])
    return cards, None


def _whole_lines(segment: Segment, text: str, page: Page, room: int, around: Circumstances, *, growing: bool) -> int:
    """How far to go in a message that still has room: to the end, or near its own end to that of a line."""
    near = growing and (around.age >= WHOLE_LINES or weigh(page.text) > WHOLE_LINES * room)
    if around.over or not near:
        return len(text)
    return max(text.rfind("\n", segment.sent) + 1, segment.sent)


def _skip_blank(text: str, at: int) -> int:
    while at < len(text) and text[at] == "\n":
        at += 1
    return at
