"""`python -m evals [NAME …]`: run scenarios on simulated fleets and judge what is said about them.

With ANTHROPIC_API_KEY the real model is asked. Without it `rank_suspects` is scored alone, and the bot with the
scripted offline playbook, which is no model: its rows tell whether the machinery holds, not how clever anybody is.
"""

import argparse
import asyncio
import json
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from benchmarks.tables import Table
from evals.ranking import Ranked, rank_once
from evals.report import Report, ask_bot
from evals.scenario import Scenario
from evals.suite import SCENARIOS
from evals.world import World, broken
from sandbox.processes import NotReady
from sandbox.stack import QUICKLY, real_model_environment
from sre_bot.errors import BackendError

AT_ONCE = 4
Result = tuple[Scenario, Ranked | None, Report | None, str]


def main() -> int:
    """Print the table; status 0 where the ranking is right as often as --least says."""
    parser = argparse.ArgumentParser(prog="make evals ARGS=…", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of scenarios' names; default all")
    parser.add_argument("--rank-only", action="store_true", help="score rank_suspects, ask nobody")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="scenarios side by side")
    parser.add_argument("--json", type=Path, help="write everything, texts included, to this file")
    parser.add_argument("--least", type=float, default=0.8, help="share of scenarios that the ranking must get right")
    arguments = parser.parse_args()
    chosen = [one for one in SCENARIOS if not arguments.names or any(name in one.name for name in arguments.names)]
    if not chosen:
        parser.error(f"no scenario of that name; there are {', '.join(one.name for one in SCENARIOS)}")
    model = real_model_environment()
    print(describe_machine(), end="\n\n", flush=True)
    began = time.monotonic()
    results = asyncio.run(
        _run_all(chosen, model, talks=not arguments.rank_only, at_once=arguments.at_once, file=arguments.json)
    )
    print(tabulate(results, "the real model" if model else "the offline playbook").markdown(), flush=True)
    print(f"\n{summarize(results)} All of it took {time.monotonic() - began:.0f} s.", flush=True)
    right = sum(ranked is not None and ranked.right for _, ranked, _, _ in results)
    return 0 if right >= arguments.least * len(results) else 1


async def _run_all(
    chosen: Sequence[Scenario], model: dict[str, str] | None, *, talks: bool, at_once: int, file: Path | None
) -> list[Result]:
    places = asyncio.Semaphore(at_once)
    done: list[Result] = []

    async def run(scenario: Scenario) -> Result:
        async with places:
            result = await run_scenario(scenario, model, talks=talks)
        done.append(result)
        if file:  # after each, so that a run which is broken off has told what it found
            _write(file, done)
        _, ranked, report, trouble = result
        said = trouble or f"ranking {_word(ranked)}" + (f", report {_word(report)}" if report else "")
        print(f"  {scenario.name}: {said}", file=sys.stderr, flush=True)
        return result

    return list(await asyncio.gather(*map(run, chosen)))


async def run_scenario(scenario: Scenario, model: dict[str, str] | None, *, talks: bool) -> Result:
    """One scenario in a world of its own; trouble with the world is told and not judged."""
    with tempfile.TemporaryDirectory(prefix="sre-bot-eval-") as folder:
        settings = {**QUICKLY, "SRE_SPARE_SESSIONS": "1"}  # warm when it is asked
        world = World(
            Path(folder), talks=talks, real_model=model, bot_settings=settings, past=scenario.past, approvers=("Ada",)
        )
        ranked: Ranked | None = None
        try:
            async with world, broken(world, scenario):
                ranked = await rank_once(scenario, world.prometheus.found)
                report = await ask_bot(world, scenario) if talks else None
        except (NotReady, TimeoutError, RuntimeError, BackendError) as error:
            return scenario, ranked, None, re.sub(r"\s+", " ", f"{type(error).__name__}: {error}")[:300]
    return scenario, ranked, report, ""


def tabulate(results: Sequence[Result], whom: str) -> Table:
    """A row for each scenario."""
    header = ["scenario", "broke", "rank", "s", "read", "without", "ranking", f"report of {whom}", "calls"]
    rows = []
    for scenario, ranked, report, trouble in results:
        broke = " and ".join(scenario.causes) if scenario.kind != "traffic" else "clients"
        cells = [scenario.name, f"{broke}: {scenario.kind}" if broke else "nothing"]
        if ranked:
            place = str(ranked.place) if ranked.place else "none" if not scenario.false_alarm else ""
            cells += [place, f"{ranked.seconds:.2f}", f"{ranked.read:,}", f"{ranked.without:,}", _word(ranked)]
        else:
            cells += ["", "", "", "", "not run"]
        cells += [_verdicts(report), str(report.calls)] if report else [trouble, ""]
        rows.append(cells)
    note = (
        "Rank: of the service that broke, of several the last of them. S: seconds of `rank_suspects`. Read, without: "
        "characters of its answer, and of the same figures over ten minutes asked with `get_service_health` and "
        "`query_metrics`."
    )
    return Table("Scenarios", header, rows, note)


def summarize(results: Sequence[Result]) -> str:
    """How often who was right."""
    ranked = [(scenario, one) for scenario, one, _, _ in results if one]
    faults = [one for scenario, one in ranked if not scenario.false_alarm]
    alarms = [one for scenario, one in ranked if scenario.false_alarm]
    reports = [report for _, _, report, _ in results if report]
    text = f"Ranking right: {sum(one.right for one in faults)} of {len(faults)} faults"
    text += f", {sum(one.right for one in alarms)} of {len(alarms)} false alarms."
    if ranked:
        read, without = (sum(getattr(one, name) for _, one in ranked) for name in ("read", "without"))
        text += f" Characters with it: {read / without:.0%} of those without."
    return f"{text} Reports right in every point: {sum(map(_right, reports))} of {len(reports)}." if reports else text


def as_json(scenario: Scenario, ranked: Ranked | None, report: Report | None, trouble: str) -> dict[str, Any]:
    """Everything about one scenario."""
    return {
        "scenario": scenario.name,
        "causes": scenario.causes,
        "kind": scenario.kind,
        "code": scenario.code,
        "ranking": vars(ranked) if ranked else None,
        "report": {**vars(report), "right": report.right} if report else None,
        "trouble": trouble,
    }


def _write(file: Path, results: Sequence[Result]) -> None:
    file.write_text(json.dumps([as_json(*one) for one in results], indent=2, ensure_ascii=False), encoding="utf-8")


def _verdicts(report: Report) -> str:
    failed = [name for name, held in report.verdicts.items() if not held]
    return f"not: {', '.join(failed)}" if failed else "right"


def _right(report: Report) -> bool:
    return report.right


def _word(judged: Ranked | Report | None) -> str:
    return "right" if judged and judged.right else "wrong"


if __name__ == "__main__":
    sys.exit(main())
