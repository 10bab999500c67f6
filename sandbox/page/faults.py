"""What can be broken with one click: settings of api-server, and what they are when all is well.

A fault is an edit of the env file and a redeploy, exactly what a person would do; nothing in the fleet is told that it
is a fault. One more is one more story.
"""

from dataclasses import dataclass

from sandbox.stories import FALSE_ALARM, LATENCY, POOL, RELEASE, STORIES


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break api-server.

    Attributes:
        id: names it in a URL.
        title: what the button says.
        about: a sentence about what will be seen.
        broken: settings that break it, by key of the env file.
        healthy: the same keys as they should be.
    """

    id: str
    title: str
    about: str
    broken: dict[str, str]
    healthy: dict[str, str]


SEEN = {
    POOL.name: (
        "Exhaust the connection pool",
        "Five workers share five database connections instead of a hundred: requests wait, time out and fail.",
    ),
    LATENCY.name: (
        "Slow the queries down",
        "The main query takes more than three times as long: the database is busy, and everything behind it waits.",
    ),
    RELEASE.name: (
        "Deploy a bad release",
        "A release with a defect: some of its requests fail, whatever else is well.",
    ),
    FALSE_ALARM.name: (
        "Raise a false alarm",
        "A release that writes a few errors into the log, below every threshold: nothing is wrong.",
    ),
}
"""What a button says, and a sentence about what will be seen, for each story of the demo."""

FAULTS = tuple(
    Fault(name, *SEEN[name], broken=dict(story.settings), healthy=story.remedy) for name, story in STORIES.items()
)


def find_fault(name: str) -> Fault | None:
    """The fault with this id."""
    return next((fault for fault in FAULTS if fault.id == name), None)
