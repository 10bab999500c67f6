"""What an investigation puts into the model's context: our tools beside packaged servers that are asked the same.

The questions are those of the playbook, on a fleet that has been healthy for an hour and is then broken as in the demo.
A peer is asked with the calls that give the same figures; for the course of the last hour also with only as many points
as our answer shows. A question that no peer can answer is left out of the sums on both sides.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from mcp import Client

from benchmarks.backends import accounts
from benchmarks.calls import OURS, Call, Outcome, ask, connect
from benchmarks.history import write_healthy_hour
from benchmarks.peers import ATLASSIAN, PAGERDUTY, PROMETHEUS, Peer, settings_of_peers
from benchmarks.tables import Table
from sandbox.stack import Stack
from sre_bot.catalog import load_catalog
from sre_bot.settings import ROOT
from sre_bot.tools.query import plan_window
from sre_bot.tools.runbook_files import load_runbooks
from sre_bot.tools.series import SHOWN_BUCKETS, Window

SERVICE = "api-server"
RUNBOOK = "database-connection-exhaustion"
FIRING = 'count by (alertname) (ALERTS{alertstate="firing"}) > 0'
BROKEN_FOR = 240.0  # seconds before anything is asked, so that the incident has a course
RANGE = "-1h"
POSTMORTEM = {
    "title": "api-server: connection pool exhausted",
    "summary": "For 12 minutes a third of the requests failed.",
    "impact": "33 % of the requests to api-server were answered with 500.",
    "timeline": "- 14:00 deployed with a smaller pool\n- 14:05 the alert fired\n- 14:12 set back",
    "root_cause": "DB_POOL_SIZE was set to 1 where 20 is healthy; nothing bounded it.",
    "resolution": "DB_POOL_SIZE back to 20 and redeployed.",
    "what_went_well": "The alert was early and named the service.",
    "action_items": "- [ ] Ada: bound the setting, Friday\n- [ ] Ben: an alert for a shrinking pool, next week",
}
ERROR_RATIO = (
    'sum by (service) (rate(http_requests_total{status=~"5.."}[1m])) / sum by (service) (rate(http_requests_total[1m]))'
)
POOL = f'sum by (__name__, service) ({{__name__=~"db_connections_(active|waiting|max)",service="{SERVICE}"}})'


@dataclass(frozen=True)
class Question:
    """One question: our call, and the calls with which a peer answers it; no peer where none can."""

    words: str
    ours: Call
    peer: Peer | None = None
    theirs: Sequence[Call] = ()
    part: Literal["playbook", "besides", "coarse"] = "playbook"
    """`coarse`: another way to ask a peer for the same as a question of the playbook; in a sum of its own."""


def questions(now: float) -> list[Question]:
    """Those of the playbook, then two that an on-call person asks as well."""
    signals = load_catalog(ROOT / "config").signals.values()
    steps = load_runbooks(ROOT / "config" / "runbooks")[RUNBOOK].steps
    queries = [query.promql.replace("$service", SERVICE) for step in steps for query in step.queries]
    course = Call("query_metrics", {"query": ERROR_RATIO, "start": RANGE})
    read, _ = plan_window(RANGE, None, None, now)
    return [
        Question(
            "health of every service", Call("get_service_health", {}), PROMETHEUS, [_instant(s.query) for s in signals]
        ),
        Question("alerts", Call("get_alerts", {}), PROMETHEUS, [_instant("ALERTS")]),
        Question("error lines in the logs", Call("get_logs", {"service": SERVICE, "level": "ERROR"})),
        Question("deployments", Call("get_recent_deployments", {})),
        Question("connection pool", Call("query_metrics", {"query": POOL}), PROMETHEUS, [_instant(POOL)]),
        Question("error ratio over the last hour", course, PROMETHEUS, [_range(read, read.step)]),
        Question(
            "the same, coarsely",
            course,
            PROMETHEUS,
            [_range(read, (read.end - read.start) / SHOWN_BUCKETS)],
            part="coarse",
        ),
        Question(
            "runbook with its figures",
            Call("execute_runbook", {"name": RUNBOOK, "phase": "investigate", "service": SERVICE}),
            PROMETHEUS,
            [_instant(query) for query in queries],
        ),
        Question(
            "who was paged",
            Call("pagerduty_list_incidents", {}),
            PAGERDUTY,
            [Call("list_incidents", {"statuses": ["triggered", "acknowledged"]})],
            part="besides",
        ),
        Question(
            "earlier post-mortems",
            Call("confluence_list_postmortems", {}),
            ATLASSIAN,
            [Call("confluence_search", {"query": 'space = "SRE" AND label = "postmortem"'})],
            part="besides",
        ),
    ]


def compare_investigations(peers: Sequence[Peer]) -> Table:
    """Break a fleet, then ask our server and the peers."""
    with tempfile.TemporaryDirectory(prefix="sre-bot-bench-") as folder:
        return tabulate(asyncio.run(_investigate(Path(folder), peers)))


Answers = Sequence[tuple[Question, Outcome, Sequence[Outcome]]]
"""Each question with our answer and the peer's, which is empty where there is no peer."""


async def _investigate(folder: Path, peers: Sequence[Peer]) -> Answers:
    async with AsyncExitStack() as parts:
        settings = {"SRE_SPARE_SESSIONS": "0"}
        stack = await parts.enter_async_context(Stack(folder, bot_settings=settings, past=write_healthy_hour))
        known = await parts.enter_async_context(accounts(folder, stack.http))
        backends = {"PROMETHEUS_URL": stack.prometheus.found, "FLEET_URL": stack.fleet.found, **known}
        await stack.deploy(DB_POOL_SIZE="1")
        print(f"  broken; {BROKEN_FOR:.0f} s until it is asked about …", file=sys.stderr, flush=True)
        await asyncio.sleep(BROKEN_FOR)
        await _firing(stack)
        ours = await parts.enter_async_context(
            connect([*OURS, "--allow-changes=client"], {"SRE_ENV_FILE": "", **backends}, folder / "ours.log")
        )
        await _publish(ours)
        theirs = {
            peer: await parts.enter_async_context(
                connect([str(peer.program)], settings_of_peers(backends), folder / f"{peer.package}.log")
            )
            for peer in peers
        }
        return [await _ask_both(question, ours, theirs) for question in questions(time.time())]


async def _publish(ours: Client) -> None:
    """A post-mortem of an earlier day, and wait until the search finds it."""
    await ask(ours, Call("confluence_create_postmortem", POSTMORTEM))
    async with asyncio.timeout(30):
        while "pool exhausted" not in (await ask(ours, Call("confluence_list_postmortems", {}))).text:
            await asyncio.sleep(0.5)


async def _firing(stack: Stack) -> None:
    """Wait until an alert fires."""
    async with asyncio.timeout(BROKEN_FOR):
        while not await stack.ask(FIRING):
            await asyncio.sleep(1)


async def _ask_both(
    question: Question, ours: Client, theirs: Mapping[Peer, Client]
) -> tuple[Question, Outcome, Sequence[Outcome]]:
    our = await ask(ours, question.ours)
    client = theirs.get(question.peer) if question.peer else None
    found = [await ask(client, call) for call in question.theirs] if client else []
    print(f"  {question.words}: {len(our.text):,} beside {_characters(found):,}", file=sys.stderr, flush=True)
    for failed in [each for each in (our, *found) if each.failed]:
        print(f"    FAILED: {failed.text[:300]}", file=sys.stderr, flush=True)
    return question, our, found


def tabulate(answers: Answers) -> Table:
    """A row for each question, and the sums of those that both sides answered."""
    both = [(q, our, found) for q, our, found in answers if found and not any(each.failed for each in (our, *found))]
    rows = [_row(*each, answered=each in both) for each in answers]
    playbook = [each for each in both if each[0].part == "playbook"]
    coarse = [each for each in both if each[0].part == "coarse"]
    coarse += [each for each in playbook if each[0].ours not in [question.ours for question, _, _ in coarse]]
    rows.append(_sum("**the playbook's, where both answer**", playbook))
    rows.append(_sum("the playbook's, the course coarsely", coarse))
    rows.append(_sum("**all, where both answer**", [each for each in both if each[0].part != "coarse"]))
    note = (
        f"Everybody is asked after an hour of healthy history and {BROKEN_FOR:.0f} s of the incident. Of the last hour "
        "the peer is asked at the step at which our tool reads, since the means and maxima that we state are of those "
        f"points; *coarsely* is {SHOWN_BUCKETS} intervals, about as many as our answer shows, in a sum of its own. "
        "*Calls* is what the model writes to ask: tools and arguments."
    )
    header = ["question", "our call", "ours, characters", "peer", "peer, characters", "ours / peer", "calls"]
    return Table("What the questions of an investigation put into the model's context", header, rows, note)


def _row(question: Question, our: Outcome, found: Sequence[Outcome], *, answered: bool) -> list[str]:
    asked = f"{question.peer.package}, {_plural(len(found))}" if question.peer and found else ""
    theirs = f"{_characters(found):,}" if answered else "failed" if found else "no peer answers it"
    share = f"{len(our.text) / _characters(found):.0%}" if answered else ""
    written = f"{_written([question.ours]):,} beside {_written(question.theirs):,}" if answered else ""
    return [question.words, question.ours.tool, f"{len(our.text):,}", asked, theirs, share, written]


def _sum(words: str, both: Answers) -> list[str]:
    mine, others = sum(len(our.text) for _, our, _ in both), sum(_characters(found) for _, _, found in both)
    written = sum(_written([q.ours]) for q, _, _ in both), sum(_written(q.theirs) for q, _, _ in both)
    share = f"**{mine / others:.0%}**" if others else ""
    return [words, "", f"{mine:,}", "", f"{others:,}", share, f"{written[0]:,} beside {written[1]:,}"]


def _written(calls: Sequence[Call]) -> int:
    return sum(len(call.tool) + len(json.dumps(dict(call.arguments))) for call in calls)


def _instant(promql: str) -> Call:
    return Call("execute_query", {"query": promql})


def _range(window: Window, step: float) -> Call:
    ends = {"start": _moment(window.start), "end": _moment(window.end)}
    return Call("execute_range_query", {"query": ERROR_RATIO, "step": f"{step:.0f}s", **ends})


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _characters(found: Sequence[Outcome]) -> int:
    return sum(len(each.text) for each in found)


def _plural(count: int) -> str:
    return f"{count} call{'s' if count > 1 else ''}"
