"""Which pages belong together: one fault pages often and from several services, and should be looked into once.

A page joins a case that had a page within the window: of the same group (the source says so), of the same service, or
of a direct neighbour in the topology. A case that is over is joined by its own service or group only, which is how an
alert that flaps stays on one card.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta

from sre_bot.catalog import Catalog
from sre_bot.incidents.paging import Case, Incident

_FIGURES = re.compile(r"\d+(?:[.,]\d+)?")


class Storms:
    """Groups incidents by the catalog's topology.

    Args:
        catalog: services and what they depend on.
        window: seconds after a page of a case during which a related one joins it.
    """

    def __init__(self, catalog: Catalog, window: float) -> None:
        self.window = timedelta(seconds=window)
        self._catalog = catalog

    def service_of(self, label: str, title: str) -> str:
        """The catalog's service of that name, or else the first that the name or the title mentions."""
        if label in self._catalog.services:
            return label
        mentions = [
            (found.start(), name)
            for name in self._catalog.services
            if (found := re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", f"{label} {title}", re.IGNORECASE))
        ]
        return min(mentions)[1] if mentions else ""

    def choose(self, incident: Incident, candidates: Sequence[Case]) -> Case | None:
        """The case that is nearest: of the same group, else of the same service, else of a neighbour."""
        ranked = [(rank, place) for place, case in enumerate(candidates) if (rank := self._kinship(incident, case))]
        return candidates[min(ranked)[1]] if ranked else None

    def _kinship(self, incident: Incident, case: Case) -> int:
        """1 for the same group, 2 for the same service, 3 for a neighbour, 0 for none of these."""
        if incident.group_key and any(incident.group_key == each.group_key for each in case.incidents):
            return 1
        theirs = {_place(each) for each in case.incidents}
        if _place(incident) and _place(incident) in theirs:
            return 2
        return 3 if case.open and theirs & set(self._neighbours(incident.service)) else 0

    def _neighbours(self, service: str) -> Iterator[str]:
        if service in self._catalog.services:
            yield from self._catalog.services[service].depends_on
            yield from self._catalog.callers(service)


def _place(incident: Incident) -> str:
    """Its service; the source's own word where the catalog has none."""
    return incident.service or incident.service_label


def symptoms(case: Case) -> list[str]:
    """What is wrong, each thing once: service and title, whatever the figures in it; with the episode, since what comes
    back is a new question.
    """
    told = (f"{_place(each)}: {_FIGURES.sub('#', each.title)}" for each in case.incidents if each.open)
    return list(dict.fromkeys([f"episode {case.episode}", *told]))
