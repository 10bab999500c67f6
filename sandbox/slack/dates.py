"""Date tokens, `<!date^1392734382^{date} at {time}|fallback>`: what Slack cannot read it shows as it is, or not at all.

Slack: "Formatting text for app surfaces", date formatting.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

TOKENS = frozenset(
    {
        "date_num", "date_slash", "date_long", "date_long_full", "date_long_pretty", "date", "date_pretty",
        "date_short", "date_short_pretty", "day_divider_pretty", "time", "time_secs", "ago",
    }
)  # fmt: skip
_CONTROL = re.compile(r"<!date([^<>]*)(>?)")
_DATE = re.compile(
    r"\^(?P<seconds>\d{1,11})\^(?P<format>[^^|<>]+)(?:\^(?P<link>https?://[^|<>]+))?\|(?P<fallback>[^<>]+)"
)


def faults_of_dates(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON of any shape
    """What is wrong with the date tokens in the texts of blocks, however deep; plain_text has none."""
    if isinstance(value, str):
        yield from (fault for match in _CONTROL.finditer(value) if (fault := _fault(match)))
    elif isinstance(value, list):
        for item in value:
            yield from faults_of_dates(item)
    elif isinstance(value, dict) and value.get("type") not in ("plain_text", "raw_text", "text"):
        yield from faults_of_dates(list(value.values()))


def _fault(match: re.Match[str]) -> str:
    date = _DATE.fullmatch(match[1])
    if date is None or not match[2]:
        return f"{match[0]} is not <!date^seconds^format|fallback>"
    names = re.findall(r"\{(.*?)\}", date["format"])
    if not names or not TOKENS.issuperset(names):
        return f"{match[0]} has an unknown token, or none: {', '.join(names) or date['format']}"
    return ""
