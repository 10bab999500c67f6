"""Why a query that is right has no data: an unknown metric, a label that matches nothing, or a filter that held.

A model that reads "no data" alone guesses; with the cause and the names that exist, its next call is right.
"""

import difflib
import re
from collections.abc import Iterator, Sequence

from sre_bot.errors import BackendError
from sre_bot.tools.sources import MetricSource
from sre_bot.tools.spec import shorten

_CHECKED = 4  # selectors of a query that are looked into
_LISTED = 8

_STRING = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`')
_LABEL_LIST = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", re.IGNORECASE)
_NAME = re.compile(r"(?<![\w:.@])([a-zA-Z_:][\w:]*+)\s*+(\{[^{}]*\})?+(?!\s*\()")
_MATCHER = re.compile(r"([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*(\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`[^`]*`)")
_KEYWORDS = {
    "and",
    "or",
    "unless",
    "offset",
    "bool",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
} | {"inf", "nan", "start", "end"}


async def explain_absence(metrics: MetricSource, promql: str, when: str) -> str:
    """NO DATA in words, with the likely causes; never raises for what it could not find out."""
    lines = [f"NO DATA: {shorten(promql, 200)} matched no series {when}. Absent is not zero."]
    compares = re.search(r"[<>]|[!=]=", re.sub(r"\{[^{}]*\}", "", _STRING.sub("", promql)))
    if compares:
        lines.append("It compares: NO DATA may mean that nothing fulfils the comparison. Without it, all series show.")
    try:
        lines += await _causes(metrics, promql, bool(compares))
    except BackendError as error:
        lines.append(f"The cause could not be looked up: {error}")
    return "\n".join(lines)


async def _causes(metrics: MetricSource, promql: str, compares: bool) -> list[str]:
    known = await metrics.metric_names()
    causes = []
    for name, matchers in list(_selectors(promql))[:_CHECKED]:
        if name not in known:
            causes.append(_unknown_metric(name, known))
        elif mismatch := await _mismatch(metrics, name, matchers):
            causes.append(mismatch)
        elif not compares:
            causes.append(f"{name} exists and these labels occur: the range may lie outside its data, or be too short.")
    return causes


def _unknown_metric(name: str, known: Sequence[str]) -> str:
    words = [word for word in name.lower().split("_") if len(word) > 2]
    alike = difflib.get_close_matches(name, known, n=_LISTED, cutoff=0.6)
    alike += [other for other in known if other not in alike and sum(word in other for word in words) >= 2]
    close = f" Close: {', '.join(alike[:_LISTED])}." if alike else ""
    return f"No metric is called {shorten(name, 80)}.{close} list_metrics finds names."


async def _mismatch(metrics: MetricSource, name: str, matchers: str) -> str | None:
    for label, operator, quoted in _MATCHER.findall(matchers)[:_CHECKED]:
        values = await metrics.label_values(label, name)
        if not values:
            return f"{name} has no label {label!r}."
        if operator in ("=", "=~") and not await metrics.label_values(label, f"{name}{{{label}{operator}{quoted}}}"):
            listed = shorten(", ".join(values[:_LISTED]), 240)
            more = f" and {len(values) - _LISTED} more" if len(values) > _LISTED else ""
            return (
                f"{name} has no series with {label}{operator}{shorten(quoted, 80)}; values of {label}: {listed}{more}."
            )
    return None


def _selectors(promql: str) -> Iterator[tuple[str, str]]:
    """Metric names with their matchers; functions, keywords, label lists, ranges and strings are no metrics."""
    plain = re.sub(r"\[[^]]*\]", " ", _LABEL_LIST.sub(" ", re.sub(r"(?m)#.*$", "", promql)))
    seen = set()
    for match in _NAME.finditer(_hide_matchers(plain)):
        name = match[1]
        if name.lower() not in _KEYWORDS and name not in seen:
            seen.add(name)
            yield name, plain[match.start(2) : match.end(2)] if match[2] else ""


def _hide_matchers(text: str) -> str:
    """`text` with what stands inside braces and strings replaced, every position kept."""
    text = _STRING.sub(lambda match: "0" * len(match[0]), text)
    return re.sub(r"\{[^{}]*\}", lambda match: "{" + "0" * (len(match[0]) - 2) + "}", text)
