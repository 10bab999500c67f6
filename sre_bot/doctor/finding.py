"""What the doctor found: one row of its table."""

import re
from dataclasses import dataclass
from enum import StrEnum

_ADVICE = re.compile(r"(?<=[.!?)]) (?=(?:Check|Correct|Create|Free|Give|If|Let|Make|Set|Start|Stop|Try)\b)")


class State(StrEnum):
    """How a thing is; SKIPPED is what could not be looked at because of something else that is wrong."""

    OK = "OK"
    PROBLEM = "PROBLEM"
    NOT_CONFIGURED = "NOT CONFIGURED"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True, slots=True)
class Finding:
    """A row: what was looked at, how it is, what was seen, and what to do (empty: nothing)."""

    name: str
    state: State
    seen: str
    advice: str = ""


def ok(name: str, seen: str, hint: str = "") -> Finding:
    """It is well."""
    return Finding(name, State.OK, seen, hint)


def problem(name: str, seen: str, advice: str) -> Finding:
    """It is not well."""
    return Finding(name, State.PROBLEM, seen, advice)


def absent(name: str, seen: str, advice: str) -> Finding:
    """Nobody asked for it; `seen` says what is missing without it."""
    return Finding(name, State.NOT_CONFIGURED, seen, advice)


def skipped(name: str, seen: str) -> Finding:
    """It was not looked at."""
    return Finding(name, State.SKIPPED, seen)


def failed(name: str, error: Exception) -> Finding:
    """One of our errors as a row: they say what failed and what to do in one message."""
    seen, *advice = _ADVICE.split(str(error), maxsplit=1)
    return problem(name, seen, advice[0] if advice else "Correct what this says, then run the check again.")
