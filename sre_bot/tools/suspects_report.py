"""A ranking in words, within a thousand characters: verdict, symptom, suspects, who is cleared, what was missing."""

from collections.abc import Iterable, Sequence

from sre_bot.root_cause.live import Reading
from sre_bot.root_cause.observations import Change, Kind, Ranking, Suspect
from sre_bot.tools.figures import figure, measure
from sre_bot.tools.moments import clock, span
from sre_bot.tools.spec import shorten

ANSWER_LIMIT = 1_000  # characters
SHOWN = 3  # suspects
NOTABLE = 0.05  # of all suspicion
NAME_LIMIT = 40  # characters of a service's name
SURGE = 1.3  # times the requests of before, from which on that is said
QUIET = 0.5


def report_suspects(rankings: Sequence[Ranking], reading: Reading, now: float, seconds: float) -> str:
    """The first ranking in full, the others where they are significant; what does not fit is left away from below."""
    if not rankings:
        return "\n".join(["NO DATA: nothing could be ranked.", *_missing(reading)])[:ANSWER_LIMIT]
    ranking = rankings[0]
    important = [_verdict(ranking), _symptom(ranking, now), *_suspects(ranking)]
    more = [
        *_others(ranking, rankings[1:]),
        *_missing(reading),
        *_listed("cleared: ", [shorten(name, NAME_LIMIT) for name in ranking.cleared]),
        *(shorten(note, 160) for note in ranking.notes),
        f"{reading.queries} queries, {seconds:.1f} s, rows of {span(reading.step)}",
    ]
    return _fit(important, more)


def _verdict(ranking: Ranking) -> str:
    first = shorten(ranking.suspects[0].service, NAME_LIMIT) if ranking.suspects else ""
    if ranking.verdict == "none":
        lead = f"; weak lead: {first}" if first and ranking.suspects[0].score > 0 else ""
        return f"NOT SIGNIFICANT: no symptom beyond what is usual{lead}"
    if ranking.verdict == "clear":
        return f"CLEAR: {first} broke first, by the figures. A lead: verify it"
    return f"AMBIGUOUS: {first} is the likeliest. A lead: verify it"


def _symptom(ranking: Ranking, now: float) -> str:
    change = ranking.target_change
    name = shorten(ranking.target, NAME_LIMIT)
    if change is None:
        return f"symptom: {name} has NO DATA of {ranking.kind}"
    text = f"symptom: {name} {_moved(ranking.kind, change)}"
    if ranking.verdict != "none":
        text += f", since about {clock(ranking.onset, now)}"
    if ranking.over:
        text += ", back to usual by now"
    if ranking.surge >= SURGE or ranking.surge <= QUIET:
        text += f"; requests answered x{figure(ranking.surge)}"
        text += ": clients send more, no service may be at fault" if ranking.surge >= SURGE else ""
    return text


def _suspects(ranking: Ranking) -> list[str]:
    shown = [suspect for suspect in ranking.suspects if suspect.score >= NOTABLE][:SHOWN]
    return [f"{number}. {_suspect(ranking.kind, suspect)}" for number, suspect in enumerate(shown, 1)]


def _suspect(kind: Kind, suspect: Suspect) -> str:
    parts = [f"score {suspect.score:.2f}, explains {suspect.explains:.0%}"]
    if suspect.change:
        parts.append(_moved(kind, suspect.change))
    parts += list(suspect.reasons)
    if len(suspect.path) > 1:
        parts.append(f"path {' > '.join(shorten(name, 20) for name in suspect.path[:4])}")
    return f"{shorten(suspect.service, NAME_LIMIT)}: {'; '.join(parts)}"


def _moved(kind: Kind, change: Change) -> str:
    def show(value: float) -> str:
        return measure(value * 1000, "ms") if kind == "latency" else measure(value, "ratio")

    word = "latency" if kind == "latency" else "errors"
    return f"{word} {show(change.before)} to {show(change.now)} (z {change.z:.0f})"


def _others(ranking: Ranking, others: Sequence[Ranking]) -> list[str]:
    """A line for each other symptom that is significant."""
    lines = []
    for other in others:
        if other.verdict == "none" or other.target_change is None or not other.suspects:
            continue
        first = shorten(other.suspects[0].service, NAME_LIMIT)
        same = (
            "the same suspect" if other.suspects[0].service == ranking.suspects[0].service else f"first suspect {first}"
        )
        lines.append(f"also {shorten(other.target, NAME_LIMIT)} {_moved(other.kind, other.target_change)}: {same}")
    return lines


def _missing(reading: Reading) -> list[str]:
    why: dict[str, list[str]] = {}
    for name, reason in reading.missing.items():
        why.setdefault(shorten(reason, 100), []).append(name)
    return [f"MISSING {', '.join(names)}: {reason}" for reason, names in why.items()]


def _listed(heading: str, names: Iterable[str]) -> list[str]:
    shown = list(names)
    rest = f" and {len(shown) - 6} more" if len(shown) > 6 else ""
    return [f"{heading}{', '.join(shown[:6])}{rest}"] if shown else []


def _fit(important: Sequence[str], more: Sequence[str]) -> str:
    lines: list[str] = []
    for line in [*important, *more]:
        left = ANSWER_LIMIT - sum(len(each) + 1 for each in lines)
        if len(line) <= left:
            lines.append(line)
        elif line in important and left > 60:
            lines.append(shorten(line, left))
    return "\n".join(lines)
