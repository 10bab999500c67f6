"""The doctor's table: plain text that fits 100 columns, with colour where a person looks at it on a terminal."""

import textwrap
from collections.abc import Iterable, Sequence

from sre_bot.doctor.finding import Finding, State

WIDTH = 100

_NAME, _STATE = 22, 16
_COLOURS = {State.OK: "32", State.PROBLEM: "1;31", State.NOT_CONFIGURED: "33", State.SKIPPED: "2"}
_TEXT = WIDTH - _NAME - _STATE


def render(findings: Sequence[Finding], *, colour: bool) -> str:
    """All rows below a head, and a last line that counts them."""
    lines = [f"{'WHAT':<{_NAME}}{'STATE':<{_STATE}}WHAT WAS SEEN, AND -> WHAT TO DO"]
    for finding in findings:
        lines += _row(finding, colour=colour)
    return "\n".join([*lines, "", _summary(findings)]) + "\n"


def _row(finding: Finding, *, colour: bool) -> Iterable[str]:
    text = [line for part in finding.seen.splitlines() for line in _wrap(part)]
    text += _wrap(finding.advice, "-> ") if finding.advice else []
    names = _wrap(finding.name, width=_NAME - 2)
    for number in range(max(len(text), len(names))):
        name = names[number] if number < len(names) else ""
        said = text[number] if number < len(text) else ""
        yield f"{name:<{_NAME}}{_paint(finding.state, number, colour=colour)}{said}".rstrip()


def _paint(state: State, number: int, *, colour: bool) -> str:
    cell = f"{state if number == 0 else '':<{_STATE}}"
    return f"\x1b[{_COLOURS[state]}m{cell}\x1b[0m" if colour and number == 0 else cell


def _wrap(text: str, mark: str = "", width: int = _TEXT) -> list[str]:
    """Lines of a text, without the control characters that an answer of somebody else may hold."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return textwrap.wrap(plain, width, initial_indent=mark, subsequent_indent=" " * len(mark), break_on_hyphens=False)


def _summary(findings: Sequence[Finding]) -> str:
    problems = sum(finding.state is State.PROBLEM for finding in findings)
    well = sum(finding.state is State.OK for finding in findings)
    if well == len(findings):
        return f"All {well} are well."
    if not problems:
        return f"No problem. {well} of {len(findings)} are well; the others are not configured or were skipped."
    return f"{problems} {'problem' if problems == 1 else 'problems'}. Do what the arrows say, then run it again."
