"""What `rank_suspects` says of a broken fleet by itself, and how much a model would have to read without it."""

import re
import time
from contextlib import suppress
from dataclasses import dataclass

from evals.scenario import Scenario
from sandbox.stack import CONFIG
from sre_bot.catalog import Catalog, load_catalog
from sre_bot.clients.prometheus import Prometheus
from sre_bot.errors import BackendError, Unreachable
from sre_bot.root_cause import choice  # noqa: F401  (numpy is loaded before anything is timed)
from sre_bot.settings import PrometheusSettings
from sre_bot.tools.observability import Observability
from sre_bot.tools.suspects import RootCauses

SUSPECT = re.compile(r"^(\d)\. ([\w.-]+):", re.MULTILINE)
OTHER = re.compile(r"first suspect ([\w.-]+)")
QUIET = re.compile(r"^NOT SIGNIFICANT|back to usual by now", re.MULTILINE)
CONNECTS = 3
SPAN = "-10m"  # what is read without the ranking


@dataclass(frozen=True)
class Ranked:
    """One answer of the tool.

    Attributes:
        place: of the service that broke, of several the last; 0 where it is not named, or where nothing broke.
        right: first place (of several causes: all named), or, of a false alarm, nothing significant.
        seconds: of the call.
        read: characters of the answer.
        without: characters of the same figures, asked with `get_service_health` and `query_metrics`.
        text: the answer.
    """

    place: int
    right: bool
    seconds: float
    read: int
    without: int
    text: str


async def rank_once(scenario: Scenario, prometheus: str) -> Ranked:
    """Ask the tool, in this process, and count."""
    catalog = load_catalog(CONFIG)
    source = Prometheus(PrometheusSettings(PROMETHEUS_URL=prometheus))
    try:
        await _connect(source)
        began = time.monotonic()
        text = await _ask(RootCauses(catalog, source))
        seconds = time.monotonic() - began
        without = await _read_by_hand(catalog, source)
    finally:
        await source.aclose()
    place, right = judge(scenario, text)
    return Ranked(place, right, seconds, len(text), without, text)


async def _connect(source: Prometheus) -> None:
    """Have the connection before anything is timed, as a tool process has."""
    for _ in range(CONNECTS):
        with suppress(Unreachable):  # a machine that is busy with the other scenarios
            await source.query("1")
            return


async def _ask(tool: RootCauses) -> str:
    """The tool's answer; an error is an answer too, as it is for a model."""
    try:
        return await tool.rank_suspects()
    except BackendError as error:
        return str(error)


def judge(scenario: Scenario, text: str) -> tuple[int, bool]:
    """The place of what broke, and whether the answer is right."""
    named = list(dict.fromkeys([match[1] for match in SUSPECT.findall(text)] + OTHER.findall(text)))
    if scenario.false_alarm:
        return 0, bool(QUIET.search(text))
    places = [named.index(cause) + 1 if cause in named else 0 for cause in scenario.causes]
    if scenario.kind == "traffic":  # nobody in the fleet broke: the surge has to be said, and who could not bear it
        return max(places), bool(named and scenario.says.search(text))
    place = 0 if 0 in places else max(places)
    return place, 0 < place <= len(scenario.causes)


async def _read_by_hand(catalog: Catalog, source: Prometheus) -> int:
    """Characters of the figures that the ranking is made of, asked one by one."""
    by_hand = Observability(catalog, source, source)
    wanted = catalog.root_cause
    assert wanted is not None
    total = len(await by_hand.get_service_health())
    for query in [*wanted.queries.values(), *(catalog.signals[name].query for name in wanted.signals)]:
        total += len(await by_hand.query_metrics(query.replace("$window", "1m"), start=SPAN))
    return total
