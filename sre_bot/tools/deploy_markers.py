"""Deployments as marks on a time axis: a handful, each with a letter and what it changed. Pure.

What is newest is kept where there are too many: it is what people look for first.
"""

import string
from collections.abc import Sequence
from dataclasses import dataclass

from sre_bot.clients.deployments import Deployment
from sre_bot.tools.records import describe_changes
from sre_bot.tools.series import Window
from sre_bot.tools.spec import shorten

SHOWN_MARKERS = 5

_TOGETHER = 0.025  # of the window: marks that are closer would cover each other
_TEXT_LIMIT = 200


@dataclass(frozen=True)
class Marker:
    """One or more deployments at about one time: its letter, the time of the first, and what they changed."""

    sign: str
    time: float
    text: str


def mark_deployments(deployments: Sequence[Deployment], window: Window) -> list[Marker]:
    """The newest SHOWN_MARKERS marks in the window, oldest first."""
    inside = [entry for entry in deployments if window.start <= entry.time <= window.end]
    groups: list[list[Deployment]] = []
    for entry in sorted(inside, key=lambda entry: entry.time):
        if groups and entry.time - groups[-1][0].time < _TOGETHER * (window.end - window.start):
            groups[-1].append(entry)
        else:
            groups.append([entry])
    return [
        Marker(sign, group[0].time, shorten("; ".join(map(_describe, _changed_first(group))), _TEXT_LIMIT))
        for sign, group in zip(string.ascii_uppercase, groups[-SHOWN_MARKERS:], strict=False)
    ]


def _changed_first(group: Sequence[Deployment]) -> list[Deployment]:
    """A changed setting explains more than a version; it must not be what has no room."""
    return sorted(group, key=lambda entry: not entry.changes)


def _describe(entry: Deployment) -> str:
    version = "" if entry.version == "unknown" else f" {shorten(entry.version, 30)}"
    changes = f": {describe_changes(entry)}" if entry.changes else ""
    return f"{shorten(entry.service, 40)}{version}{changes}" if version or changes else f"{entry.service} deployed"
