"""The words of others made fit for a card: one line, bounded, without what only disguises; and moments in words.

Slack shows a moment in the reader's own time zone where it gets one of its date tokens.
"""

import unicodedata
from datetime import UTC, datetime, timedelta

DATE = "{date_short_pretty} at {time}"
_UNREADABLE = frozenset(("Cc", "Cs", "Zl", "Zp"))  # categories: controls, halves of characters, line ends
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # what follows reads in another order


def one_line(text: str, limit: int) -> str:
    """The words of a text on one line of at most `limit` characters, as `cut` counts them; empty where it has none."""
    seen = text[: limit * 2]  # more would be cut off anyway, and a title may be long
    kept = (" " if char in _REORDERING or unicodedata.category(char) in _UNREADABLE else char for char in seen)
    return cut(" ".join("".join(kept).split()), limit)


def cut(text: str, limit: int) -> str:
    """At most `limit` UTF-16 units, the strictest way to count characters; an ellipsis where something is missing."""
    if _units(text) <= limit:
        return text
    kept = text[: limit - 1]
    while _units(kept) > limit - 1:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def _units(text: str) -> int:
    return len(text) + sum(char > "\uffff" for char in text)


def date(moment: datetime) -> str:
    """A moment in the reader's time zone, in mrkdwn. Slack: "Formatting text", dates."""
    return f"<!date^{int(moment.timestamp())}^{DATE}|{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC>"


def duration(length: timedelta) -> str:
    """A length of time in its two largest units; a negative one, by clocks that differ, is none."""
    minutes = max(int(length.total_seconds()), 0) // 60
    hours, days = minutes // 60, minutes // 1440
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else "less than a minute"
