"""One claim against the results that it cites: its services, its quotations, its changes, and its figures.

A figure has to stand in a part of a result that is about the service of which it is said. What is said of no service
may stand anywhere in what is cited.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sre_bot.evidence.exhibit import Exhibit, Passage, named_services, passages
from sre_bot.evidence.figures import Bound, Figure, Kind, agrees, bound_before, label_of, read_figures, topics_of

CITATION = re.compile(r"[\[(]\s*(E\d{1,4}(?:\s*(?:,|;|and|&|[-–])?\s*E?\d{1,4})*)\s*[\])]")  # noqa: RUF001  (a dash)
_RANGE = re.compile(r"E?(\d{1,4})\s*[-–]\s*E?(\d{1,4})")  # noqa: RUF001
_QUOTED = re.compile(r"“([^”\n]{2,})”|\"([^\"\n]{2,})\"|«([^»\n]{2,})»")
_CODE = re.compile(r"`+([^`\n]+)`+")
_CHANGE = re.compile(
    r"(?:(?<=\s)|^)(?:from\s+)?(?P<before>[\w.,%/-]+(?:\s(?:%|ms|s)(?!\w))?)\s*(?:→|->|⇒|=>)\s*(?P<after>[\w.,%/-]+)"
    r"|\bfrom\s+(?P<before2>\d[\w.,%/-]*(?:\s(?:%|ms|s)(?!\w))?)\s+to\s+(?P<after2>\d[\w.,%/-]*)"
)
_ARROW = re.compile(r"(?P<before>[^\s;]+)\s*(?:→|->)\s*(?P<after>[^\s;,]+)")
_CLAUSE = re.compile(r";\s|,\s+(?:and|while|whereas|but)\s|,\s|\s(?:while|whereas|but|and)\s")
_UNSEEN = re.compile(
    r"NO DATA|UNREACHABLE|NOT CONFIGURED|not (?:be )?(?:seen|read|reached|available|known)|not answer|could not|cannot"
    r"|unable|unavailable|timed out|(?:call|tool|query|it|this|that) failed|refused|denied|rejected|unknown",
    re.IGNORECASE,
)
_BLANK = re.compile(r"\s+")
_DRESSING = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "*": "", "`": "", "\u2060": ""})  # noqa: RUF001


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement of a report.

    Attributes:
        text: without its citations.
        cites: numbers of the results that it names, in order.
    """

    text: str
    cites: tuple[int, ...]

    @property
    def says_something_checkable(self) -> bool:
        """Whether it has a figure or a quotation, or cites a result."""
        return bool(self.cites or _QUOTED.search(self.text) or read_figures(_without_code(self.text)))


def read_claim(line: str) -> Claim:
    """The claim that a line of a report makes."""
    cites: dict[int, None] = {}
    for citation in CITATION.finditer(line):
        inside = citation[1]
        for span in _RANGE.finditer(inside):
            first, last = sorted((int(span[1]), int(span[2])))
            cites |= dict.fromkeys(range(first, min(last, first + 50) + 1))
        cites |= dict.fromkeys(int(number) for number in re.findall(r"\d+", _RANGE.sub(" ", inside)))
    text = CITATION.sub("", line)
    return Claim(re.sub(r"\s+([.,;:])", r"\1", text).strip(), tuple(cites))


def find_faults(claim: Claim, exhibits: Mapping[int, Exhibit], services: Sequence[str]) -> tuple[str, ...]:
    """Why a claim is not supported by what it cites, in words; nothing where it is.

    Args:
        claim: the claim.
        exhibits: the conversation's results by number; those that it cites at least.
        services: names of the services there are.
    """
    if not claim.cites:
        return ("it cites no evidence",)
    if missing := [f"E{number}" for number in claim.cites if number not in exhibits]:
        return (f"there is no {_join(missing)}",)
    cited = [exhibits[number] for number in claim.cites]
    if not any(exhibit.ok for exhibit in cited) and not _UNSEEN.search(claim.text):
        return (f"{_join([exhibit.name for exhibit in cited])} is a call that failed",)
    return tuple(dict.fromkeys(_faults(claim.text, cited, services)))


def _faults(text: str, cited: Sequence[Exhibit], services: Sequence[str]) -> Iterator[str]:
    names = _join([exhibit.name for exhibit in cited])
    parts = [part for exhibit in cited for part in passages(exhibit, services)]
    read = {service for part in parts for service in named_services(part.text, services)}
    about = named_services(text, services)
    yield from (f"{service} is not in {names}" for service in sorted(about - read))
    near = _about(parts, about & read)
    yield from (f"“{quote}” is not in {names}" for quote in _false_quotes(text, near))
    plain = _QUOTED.sub(" ", text)
    yield from (f"{change} is not in {names}" for change in _false_changes(plain, near))
    for figure in _false_figures(_without_code(plain), parts, services, about & read):
        yield f"{figure.strip()} is not in {names}{f' for {_join(sorted(about))}' if about else ''}"


def _about(parts: Sequence[Passage], services: frozenset[str]) -> list[Passage]:
    """The parts that are about one of these services, or about all."""
    return [part for part in parts if not services or not part.services or part.services & services]


# --- Quotations ------------------------------------------------------------------------------------------------------


def _false_quotes(text: str, parts: Sequence[Passage]) -> Iterator[str]:
    whole = _fold("\n".join(part.text for part in parts))
    for found in _QUOTED.finditer(text):
        quote = next(filter(None, found.groups()))
        if not _stands_in(quote, whole):
            yield quote
    for found in _CODE.finditer(text):
        if not _code_stands_in(found[1], whole):
            yield found[1]


def _stands_in(quote: str, whole: str) -> bool:
    """Whether the words stand there in their order; an ellipsis stands for what was left out."""
    at = 0
    for piece in re.split(r"…|\.\.\.|\[…\]", quote):
        words = _fold(piece).strip(" .,;:")
        if not words:
            continue
        found = whole.find(words, at)
        if found < 0:
            return False
        at = found + len(words)
    return True


def _code_stands_in(code: str, whole: str) -> bool:
    """Code is a quotation that ends where a word does, or a setting with the value that a change gave it: `KEY=1`."""
    folded = re.escape(_fold(code))
    if re.search(rf"{folded}(?!\w)", whole) or "…" in code:
        return _stands_in(code, whole)
    name, _, value = _fold(code).partition("=")
    changed = rf"{re.escape(name.strip())}\s+\S+\s*(?:→|->)\s*{re.escape(value.strip())}(?![\w.])"
    return bool(value and re.search(changed, whole))


def _fold(text: str) -> str:
    return _BLANK.sub(" ", text.translate(_DRESSING)).casefold().strip()


def _without_code(text: str) -> str:
    """The text without what is compared as a quotation."""
    return _CODE.sub(lambda found: " " * len(found[0]), text)


# --- Changes ---------------------------------------------------------------------------------------------------------


def _false_changes(text: str, parts: Sequence[Passage]) -> Iterator[str]:
    """Changes that were read the other way round, or with another value; where none was read, figures decide."""
    there = [
        (_value(found["before"]), _value(found["after"]), part.text)
        for part in parts
        for found in _ARROW.finditer(part.text)
    ]
    for found in _CHANGE.finditer(_CODE.sub(lambda code: code[1], text)):
        before, after = _value(found["before"] or found["before2"]), _value(found["after"] or found["after2"])
        same = [line for first, last, line in there if (first, last) == (before, after)]
        touched = any({before, after} & {first, last} for first, last, _ in there)
        if (same and not _at_one_time(text, same)) or (not same and there and (touched or not _numeric(before, after))):
            yield f"{before} → {after}"


def _at_one_time(text: str, lines: Sequence[str]) -> bool:
    """Whether a change was made at a time that the claim names, where both name times."""
    said, read = (
        [each for part in parts for each, *_ in read_figures(part) if each.kind is Kind.CLOCK]
        for parts in ([text], lines)
    )
    return not said or not read or any(agrees(one, other, Bound.ROUNDED, "") for one in said for other in read)


def _value(word: str) -> str:
    return word.strip("`*.,;()").casefold()


def _numeric(*words: str) -> bool:
    return all(word[:1].isdigit() for word in words)


# --- Figures ---------------------------------------------------------------------------------------------------------


def _false_figures(
    text: str, parts: Sequence[Passage], services: Sequence[str], about: frozenset[str]
) -> Iterator[str]:
    read = [(part, figure) for part in parts for figures in read_figures(part.text) for figure in figures]
    for clause in _CLAUSE.split(text):
        own = named_services(clause, services) & about or about
        there = [(part, figure) for part, figure in read if not own or not part.services or part.services & own]
        for meanings in read_figures(clause):
            bound = bound_before(clause, meanings[0])
            if not any(_is_there(meaning, there, bound, topics_of(clause)) for meaning in meanings):
                yield meanings[0].text


def _is_there(figure: Figure, there: Sequence[tuple[Passage, Figure]], bound: Bound, topics: frozenset[str]) -> bool:
    if figure.kind is Kind.NAME:
        return any(figure.text.casefold() in part.text.casefold() for part, _ in there)
    return any(
        agrees(figure, read, bound, part.context) and _is_of(read, part.text, figure, topics) for part, read in there
    )


def _is_of(read: Figure, line: str, figure: Figure, topics: frozenset[str]) -> bool:
    """Whether a share that was read may be the share that is spoken of: memory in use is no error rate."""
    if figure.kind is not Kind.RATIO or not topics:
        return True
    labelled = topics_of(label_of(line, read))
    return not labelled or bool(labelled & topics)


def _join(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
