"""The call graph as far as a ranking needs it: who reaches whom, and which services call each other in a circle."""

from collections import deque
from collections.abc import Iterable, Mapping

from sre_bot.root_cause.observations import Graph


def read_graph(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Every service with those that it calls, each once and never itself."""
    named = {name: tuple(dict.fromkeys(other for other in calls if other != name)) for name, calls in graph.items()}
    return named | {other: () for calls in named.values() for other in calls if other not in named}


def callers_of(calls: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Every called service with those that call it."""
    found: dict[str, list[str]] = {}
    for caller, called in calls.items():
        for name in called:
            found.setdefault(name, []).append(caller)
    return found


def entrances(graph: Graph) -> list[str]:
    """Services that no other calls; all of them where each is called by another."""
    calls = read_graph(graph)
    called = callers_of(calls)
    return [name for name in calls if name not in called] or list(calls)


def paths_from(start: str, calls: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """The shortest way from `start` to every service that it reaches, both ends included."""
    paths: dict[str, tuple[str, ...]] = {start: (start,)}
    waiting = deque([start])
    while waiting:
        name = waiting.popleft()
        for other in calls.get(name, ()):
            if other not in paths:
                paths[other] = (*paths[name], other)
                waiting.append(other)
    return paths


def circles(calls: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """The services that reach themselves, each with a number that those of one circle share."""
    reached = {name: set(paths_from(name, calls)) for name in calls}
    numbers: dict[str, int] = {}
    for number, name in enumerate(calls):
        together = [other for other in reached[name] if name in reached.get(other, ())]
        if len(together) > 1:
            for other in together:
                numbers.setdefault(other, number)
    return numbers
