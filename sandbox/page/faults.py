"""What can be broken with one click: settings of api-server, and what they are when all is well.

A fault is an edit of the env file and a redeploy, exactly what a person would do; nothing in the fleet is told that it
is a fault. One more is one more entry here.
"""

from dataclasses import dataclass


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


FAULTS = (
    Fault(
        "pool",
        "Exhaust the connection pool",
        "Five workers share five database connections instead of a hundred: requests wait, time out and fail.",
        {"DB_POOL_SIZE": "1"},
        {"DB_POOL_SIZE": "20"},
    ),
)


def find_fault(name: str) -> Fault | None:
    """The fault with this id."""
    return next((fault for fault in FAULTS if fault.id == name), None)
