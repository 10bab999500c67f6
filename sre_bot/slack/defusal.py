"""Markdown that is safe to send, although a model wrote it and quoted logs and pages of strangers in it.

Slack reads some text as orders: ``<!channel>`` rings everybody's phone, an image fetches an address that the text
chose. Slack parses what is sent as ``markdown_text`` itself, so nothing is re-rendered here: characters are inserted
where an order would begin. Refused: to judge by grammar alone, since what matters is how a lenient reader sees it.
"""

import html
import re
import unicodedata
from collections.abc import Iterator

GUARD = "\u2060"  # WORD JOINER: invisible, no white space, and no part of any control sequence

BROADCAST = re.compile(r"(?<![a-z0-9])@(?=(?:channel|here|everyone)(?![a-z0-9]))", re.IGNORECASE)
"""The sign of a bare @channel, @here or @everyone; not that of ops@here.com."""

# What a reader of Markdown or of mrkdwn decodes, drops or folds before it looks for a control sequence.
_DISGUISE = re.compile(
    r"&(?:(?:amp|\#0*38|\#x0*26);)*(?P<entity>\#[0-9]{1,7}|\#x[0-9a-f]{1,6}|[a-z]{2,8});?"
    r"|\\(?=[!-/:-@\[-`{-~])"
    r"|[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2061-\u206f\ufe00-\ufe0f\ufeff]"
    r"|[\uff01\uff03\uff1c\uff20\ufe57\ufe5f\ufe64\ufe6b]",
    re.IGNORECASE,
)

# Some readers drop a backslash wherever it stands.
_BROADCASTS = "|".join(r"\\*".join(word) for word in ("channel", "here", "everyone"))

# Each match ends where the guard goes.
_LIVE = [
    re.compile(r"<(?=[\s\\]*[!@\#][\s*_~`\\]*[^\W_])"),  # <!channel> <!subteam^S1> <@U1> <#C1>
    re.compile(rf"(?<![a-z0-9])@(?=[*_~`\\]*(?:{_BROADCASTS})(?![a-z0-9]))", re.IGNORECASE),
    re.compile(r"<(?=(?:javascript|vbscript|data|file):)", re.IGNORECASE),  # an autolink
    # [click](!channel) becomes <!channel|click> in careless converters; the rest are schemes that nobody may click.
    re.compile(r"\](?=\([\s>]*+<?\s*+(?:[!@\#]|(?!(?:https?|mailto):)[a-z][a-z0-9+.\-\s]{0,40}:))", re.IGNORECASE),
    # The definition of a reference link could complete an image or a link from anywhere in the text.
    re.compile(r"\](?=:[\s>]*+<?\s*+(?:[!@\#]|//|(?:https?|javascript|vbscript|data|file):))", re.IGNORECASE),
]


def defuse(markdown: str) -> str:
    """Make Markdown safe to send as ``markdown_text``, which Slack parses itself.

    Inserts an invisible U+2060 where a mention, a channel, a broadcast, an image or an unsafe link would begin, and
    changes nothing else: without U+2060 the result equals the argument. So an image shows as ``!`` and a link, and an
    unsafe link shows as its source. This holds inside code too, for parsers disagree about where code ends.
    Disguises (entities, escapes, invisible and full-width characters, odd case) are seen through. Idempotent.

    Pass the whole text every time: a sequence whose end has not arrived yet may look harmless, and the next whole text
    is judged anew.
    """
    shadow, ends = _undisguise(markdown)
    guarded = {ends[match.end() - 1] for pattern in _LIVE for match in pattern.finditer(shadow)}
    guarded.update(ends[index] for index in _image_marks(shadow))
    pieces, start = [], 0
    for end in sorted(guarded):
        pieces.append(markdown[start:end])
        start = end
    return GUARD.join([*pieces, markdown[start:]])


# What may yet become one of the above, at the end of a text that goes on.
_UNDECIDED = re.compile(
    r"(?:<[\s\\]*(?:[!@\#][\s*_~`\\]*)?|<[a-z]{0,10}|@[*_~`\\a-z]{0,40}|!\[?|\](?:\([\s>]*<?\s*(?:[a-z][a-z0-9+.\-\s]{0,40})?)?"
    r"|\]:[\s>]*<?\s*[a-z]{0,10}/?|\\|&[\#a-z0-9;]{0,60})\Z",
    re.IGNORECASE,
)
_LOOK_BACK = 200  # characters within which a sequence that is not complete begins


def defuse_growing(markdown: str) -> str:
    """The beginning of `defuse` of this text and of every text that this one grows into, as long as can be known.

    What may turn out to be the beginning of an order is left out until that is decided. Sequences that begin more than
    200 characters before their end are not waited for, so a caller has to check that the text it showed still holds.
    """
    shadow, ends = _undisguise(markdown)
    at, undecided = len(shadow), _find_undecided(shadow, len(shadow))
    while undecided < at:  # what decides the end of the text may itself be left out
        at, undecided = undecided, _find_undecided(shadow, undecided)
    return defuse(markdown[: ends[at - 1] if at else 0])


def _find_undecided(shadow: str, end: int) -> int:
    """Where something begins that only what follows ``end`` decides; ``end`` where there is nothing."""
    found = _UNDECIDED.search(shadow, max(end - _LOOK_BACK, 0), end)
    paragraph = max((gap.end() for gap in re.finditer(r"\n[ \t]*\n", shadow[:end])), default=0)
    image = shadow.find("![", max(shadow.rfind("](", paragraph, end), paragraph), end)
    return min(found.start() if found else end, image if image >= 0 else end)


def _undisguise(text: str) -> tuple[str, list[int]]:
    """The text as a lenient reader sees it and, for each of its characters, where that ends in ``text``."""
    seen: list[str] = []
    ends: list[int] = []
    start = 0
    for match in _DISGUISE.finditer(text):
        seen.append(text[start : match.start()])
        ends.extend(range(start + 1, match.start() + 1))
        meant = _meaning(match)
        seen.append(meant)
        ends.extend([match.end()] * len(meant))
        start = match.end()
    seen.append(text[start:])
    ends.extend(range(start + 1, len(text) + 1))
    return "".join(seen), ends


def _meaning(disguise: re.Match[str]) -> str:
    if entity := disguise["entity"]:
        return html.unescape(f"&{entity};")
    folded = unicodedata.normalize("NFKC", disguise[0])
    return folded if folded in "!#<@" else ""


def _image_marks(text: str) -> Iterator[int]:
    """Where an exclamation mark may begin an image: before a ``[``, in a paragraph that later has a ``](``.

    Looser than the grammar, which needs a parser, and tight enough to leave most code with a ``![`` alone.
    """
    start = 0
    for paragraph in re.split(r"(\n[ \t]*\n)", text):
        last = paragraph.rfind("](")
        yield from (start + found.start() for found in re.finditer(r"!(?=\[)", paragraph[: max(last, 0)]))
        start += len(paragraph)
