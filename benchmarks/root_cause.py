"""How often the ranking finds the service that broke: `python -m benchmarks.root_cause DATA`.

DATA is a folder of incidents whose cause is known (the figures in docs/benchmarks.md are of PetShop, CC-BY-4.0):

    train.jsonl                    {"id", "scenario", "target": [service, metric, statistic], "start", "truth",
                                    "history": [scenario …]}, one incident in a line
    <scenario>/history.csv.gz      rows without an incident, as `sre_bot/root_cause/datasets.py` reads them
    <scenario>/graph.json          {caller: [callee, …]}
    <id>.csv.gz                    rows around one incident

Names, the order of columns and edges, and the clock are scrambled for each incident, so that nothing is tuned to names.
"""

import argparse
import gzip
import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from benchmarks.tables import Table, spread
from sre_bot.root_cause.datasets import VIEWS, Columns, rank_columns, read_columns
from sre_bot.root_cause.observations import Ranking

BIN = 300.0  # seconds of a row
GAP = 3600.0  # between the end of the history and the incident
NORMAL_ROWS, NORMAL_TOLD = 5, 590.0  # of a window without an incident: its rows, and the second that is asked about

Rows = tuple[Sequence[float], Columns]


@dataclass(frozen=True)
class Condition:
    """What is made harder: seconds that the alert is late, share of the call graph's edges that are missing."""

    name: str
    late: float = 0.0
    dropped: float = 0.0


CONDITIONS = (
    Condition("as told"),
    Condition("told 10 minutes late", late=600.0),
    Condition("20 % of the edges missing", dropped=0.2),
)


@dataclass(frozen=True)
class Case:
    """One question: rows, graph, target, the told time, and the service that is right."""

    rows: Rows
    graph: dict[str, list[str]]
    target: Sequence[str]
    told: float
    truth: str

    def ask(self) -> tuple[Ranking, float]:
        """The ranking and the seconds that it took."""
        began = time.perf_counter()
        ranking = rank_columns(*self.rows, self.graph, self.target, self.told)
        return ranking, time.perf_counter() - began


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.root_cause", description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", default="train", help="name of the list of incidents, without .jsonl")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--normal", type=int, default=100, help="windows without an incident")
    arguments = parser.parse_args()
    issues = [json.loads(line) for line in (arguments.data / f"{arguments.split}.jsonl").read_text().splitlines()]
    print(describe_machine(), end="\n\n", flush=True)
    print(score(arguments.data, issues, arguments.seed).markdown(), flush=True)
    none = count_quiet(arguments.data, issues, arguments.normal, arguments.seed)
    print(f"\nWindows without an incident in which nothing was found significant: {none} of {arguments.normal}")
    return 0


def score(data: Path, issues: Sequence[dict[str, Any]], seed: int) -> Table:
    """A row for each condition."""
    rows = []
    for condition in CONDITIONS:
        places, seconds = [], []
        for issue in issues:
            case = scramble(_incident(data, issue, condition), random.Random(f"{seed}/{issue['id']}"))
            ranking, took = case.ask()
            named = [suspect.service for suspect in ranking.suspects]
            places.append(named.index(case.truth) + 1 if case.truth in named else len(named) + 1)
            seconds.append(took)
        hits = [f"{sum(place <= k for place in places) / len(places):.2f}" for k in (1, 3)]
        rows.append([condition.name, str(len(issues)), *hits, spread(seconds, 3)])
    return Table("Rank of the service that broke", ["", "incidents", "top-1", "top-3", "s per incident"], rows)


def count_quiet(data: Path, issues: Sequence[dict[str, Any]], number: int, seed: int) -> int:
    """In how many windows without an incident nothing is significant."""
    chance = random.Random(1)
    targets = sorted({tuple(issue["target"]) for issue in issues})
    scenarios = sorted({name for issue in issues for name in issue["history"]})
    quiet = 0
    for turn in range(number):
        scenario, target = scenarios[turn % len(scenarios)], targets[turn // len(scenarios) % len(targets)]
        times, columns = _history(data, (scenario,))
        first = chance.randrange(30, len(times) - 2 * NORMAL_ROWS)
        rest = [*range(first - 12), *range(first + NORMAL_ROWS + 12, len(times))]
        window = range(first, first + NORMAL_ROWS)
        rows = _join(_pick((times, columns), rest), _pick((times, columns), window))
        told = rows[0][len(rest)] + NORMAL_TOLD
        case = scramble(Case(rows, _graph(data, scenario), target, told, ""), random.Random(f"{seed}/{turn}"))
        quiet += case.ask()[0].verdict == "none"
    return quiet


def scramble(case: Case, chance: random.Random) -> Case:
    """The same case with other names, another order and another clock; suffixes that tell the kind stay."""
    times, columns = case.rows
    names = sorted({name for name, _, _ in columns} | set(case.graph) | {n for v in case.graph.values() for n in v})
    numbers = chance.sample(range(len(names)), len(names))
    new = {
        name: f"svc{number:03d}" + next((kind for kind in VIEWS if name.endswith(kind)), "")
        for name, number in zip(names, numbers, strict=True)
    }
    shift = chance.randrange(-(10**7), 10**7)
    order = chance.sample(list(columns), len(columns))
    graph = {
        new[name]: [new[other] for other in chance.sample(called, len(called))] for name, called in case.graph.items()
    }
    return Case(
        ([moment + shift for moment in times], {(new[key[0]], *key[1:]): columns[key] for key in order}),
        {name: graph[name] for name in chance.sample(list(graph), len(graph))},
        [new.get(case.target[0], case.target[0]), *case.target[1:]],
        case.told + shift,
        new.get(case.truth, case.truth),
    )


def _incident(data: Path, issue: dict[str, Any], condition: Condition) -> Case:
    with gzip.open(data / f"{issue['id']}.csv.gz", "rt", newline="") as file:
        incident = read_columns(file)
    chance = random.Random(f"edges/{issue['id']}")
    graph = {
        name: [other for other in called if chance.random() >= condition.dropped]
        for name, called in _graph(data, issue["scenario"]).items()
    }
    rows = _join(_history(data, tuple(issue["history"])), incident)
    return Case(rows, graph, issue["target"], issue["start"] + condition.late, issue["truth"])


@cache
def _history(data: Path, scenarios: tuple[str, ...]) -> Rows:
    """The rows of several scenarios, one after the other."""
    joined: Rows = ([], {})
    for scenario in scenarios:
        with gzip.open(data / scenario / "history.csv.gz", "rt", newline="") as file:
            joined = _join(joined, read_columns(file))
    return joined


def _graph(data: Path, scenario: str) -> dict[str, list[str]]:
    return dict(json.loads((data / scenario / "graph.json").read_text()))


def _pick(rows: Rows, numbers: Sequence[int]) -> Rows:
    times, columns = rows
    return [times[number] for number in numbers], {k: [v[number] for number in numbers] for k, v in columns.items()}


def _join(before: Rows, after: Rows) -> Rows:
    """`before`, timed anew so that it ends GAP seconds before `after` begins, and `after`."""
    (earlier, old), (later, new) = before, after
    start = later[0] - GAP - BIN * len(earlier)
    nothing_old, nothing_new = [float("nan")] * len(earlier), [float("nan")] * len(later)
    return (
        [*(start + BIN * number for number in range(len(earlier))), *later],
        {key: [*old.get(key, nothing_old), *new.get(key, nothing_new)] for key in {**old, **new}},
    )


if __name__ == "__main__":
    sys.exit(main())
