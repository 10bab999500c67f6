"""Deliveries become incidents and cases: whatever comes in which order, each once, and nothing half."""

import asyncio
import random
from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from sre_bot.incidents import Ledger
from sre_bot.incidents.database import Database
from sre_bot.incidents.paging import Case, Change, Delivery, Incident
from sre_bot.incidents.tables import deliveries

from .conftest import ROOT, OpenLedger, start_python
from .pages import (
    ACKNOWLEDGED,
    RESOLVED,
    TRIGGERED,
    ByService,
    at,
    change,
    deliver,
    fold,
    only_case,
    page,
    resolution,
    snapshot,
)

Grouped = frozenset[frozenset[str]]

STATUS_OF = {"triggered": TRIGGERED, "acknowledged": ACKNOWLEDGED, "resolved": RESOLVED, "reopened": TRIGGERED}
KINDS = st.sampled_from(["acknowledged", "resolved", "reopened", "annotated", "escalated"])


@st.composite
def lives(draw: st.DrawFn) -> list[Change]:
    """The events of some incidents of two services, all within the window, each incident triggered first."""
    events: list[Change] = []
    for number in range(draw(st.integers(1, 4))):
        service = draw(st.sampled_from(["api", "auth"]))
        moment = draw(st.integers(0, 100))
        events.append(page(f"P{number}", moment, service))
        status = TRIGGERED
        for kind in draw(st.lists(KINDS, max_size=4)):
            moment += draw(st.integers(0, 30))
            status = STATUS_OF.get(kind, status)
            seen = None if kind == "annotated" else replace(snapshot(status, service), assignees=(kind,))
            events.append(change(f"P{number}", kind, moment, seen, f"{service} is slow"))
    return events


async def outcome(url: str, events: list[Change]) -> tuple[list[Incident], Grouped]:
    """What becomes of events in this order: the incidents without their rows' numbers, and which are together."""
    ledger = await Ledger.open(url)
    try:
        scope = uuid4().hex[:8]  # one database serves many examples: each has incidents and services of its own
        for each in events:
            seen = each.snapshot and replace(each.snapshot, service=f"{each.snapshot.service}-{scope}")
            moved = replace(each, incident=f"{each.incident}-{scope}", snapshot=seen, title=_scoped(each.title, scope))
            await deliver(ledger, moved, key=f"{scope}:{moved.incident}:{moved.kind}:{moved.occurred_at}")
        cases = [await ledger.cases.get(case_id) for case_id in await fold(ledger)]
    finally:
        await ledger.close()
    members = [each for case in cases if case for each in case.incidents]
    assert len({each.key for each in members}) == len(members), "an incident is in two cases"
    grouped = frozenset(frozenset(_plain(each.key, scope) for each in case.incidents) for case in cases if case)
    bare = [
        replace(
            each,
            case_id=0,
            key=_plain(each.key, scope),
            service=_plain(each.service, scope),
            service_label=_plain(each.service_label, scope),
            title="",  # a note calls the incident what it likes, which stands until a snapshot says better
        )
        for each in members
    ]
    return sorted(bare, key=lambda each: each.key), grouped


def _scoped(title: str, scope: str) -> str:
    service, _, rest = title.partition(" ")
    return f"{service}-{scope} {rest}" if title else ""


def _plain(word: str, scope: str) -> str:
    return word.removesuffix(f"-{scope}")


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=lives(), seed=st.integers(0, 2**16))
def test_neither_order_nor_repetition_of_events_matters(url: str, events: list[Change], seed: int) -> None:
    shuffled = events + random.Random(seed).choices(events, k=len(events) // 2)
    random.Random(seed).shuffle(shuffled)

    assert asyncio.run(outcome(url, shuffled)) == asyncio.run(outcome(url, events))


async def test_what_is_noted_before_it_is_triggered_waits_for_the_trigger(ledger: Ledger) -> None:
    await deliver(ledger, change("P1", "annotated", 60, title="something else"))
    assert await fold(ledger) == set()
    assert await ledger.cases.of_incident("pd:P1") is None

    await deliver(ledger, page("P1", 0, "auth"))
    await fold(ledger)

    incident = (await only_case(ledger, "P1")).first
    assert (incident.title, incident.service, incident.opened_at) == ("auth is slow", "auth", at(0))


async def test_a_note_on_an_incident_that_nobody_knows_makes_no_card(ledger: Ledger) -> None:
    await deliver(ledger, change("OLD", "annotated", 0, title="resolved last month"))
    assert await fold(ledger) == set()
    assert (await ledger.deliveries.backlog(), await ledger.cases.behind()) == (0, [])


async def test_what_is_resolved_before_it_is_triggered_stays_resolved(ledger: Ledger) -> None:
    await deliver(ledger, resolution("P1", 60))
    await fold(ledger)
    await deliver(ledger, page("P1", 0))
    await fold(ledger)

    case = await only_case(ledger, "P1")
    assert (case.open, case.episode, case.opened_at, case.closed_at) == (False, 1, at(0), at(60))


async def test_what_comes_back_is_another_episode_of_the_same_case(ledger: Ledger) -> None:
    for event in (page("P1"), resolution("P1", 60), change("P1", "reopened", 90, snapshot())):
        await deliver(ledger, event)
        await fold(ledger)

    case = await only_case(ledger, "P1")
    assert (case.open, case.episode, case.closed_at, case.first.resolved_at) == (True, 2, None, None)

    await deliver(ledger, resolution("P1", 120))
    await fold(ledger)
    assert (await only_case(ledger, "P1")).episode == 2


async def test_a_new_page_of_a_closed_case_begins_another_episode(ledger: Ledger) -> None:
    await deliver(ledger, page("P1"), resolution("P1", 60))
    await fold(ledger)
    await deliver(ledger, page("P2", 120))
    await fold(ledger)

    case = await only_case(ledger, "P2")
    assert [each.key for each in case.incidents] == ["pd:P1", "pd:P2"]
    assert (case.episode, case.open) == (2, True)


async def test_within_one_tick_the_later_status_counts_whichever_comes_first(ledger: Ledger) -> None:
    await deliver(ledger, resolution("P1", 0), page("P1", 0))
    await deliver(ledger, page("P2", 0, "auth"), resolution("P2", 0, "auth"))
    await fold(ledger)

    assert not (await only_case(ledger, "P1")).open
    assert not (await only_case(ledger, "P2")).open


async def test_within_one_tick_and_status_it_does_not_matter_which_comes_first(ledger: Ledger) -> None:
    ada, bob = (replace(snapshot(), assignees=(name,)) for name in ("Ada", "Bob"))
    for key, service, seen in (("P1", "api", (ada, bob)), ("P2", "auth", (bob, ada))):
        for kind, one in zip(("reassigned", "escalated"), seen, strict=True):
            await deliver(ledger, change(key, kind, 0, replace(one, service=service)))
    await fold(ledger)

    first, second = [(await only_case(ledger, key)).first.assignees for key in ("P1", "P2")]
    assert first == second


async def test_a_page_outside_of_the_window_is_a_case_of_its_own(ledger: Ledger) -> None:
    await deliver(ledger, page("P1"), page("P2", 599), page("P3", 1199), page("P4", 1800))
    await fold(ledger)

    found = [(await only_case(ledger, key)).id for key in ("P1", "P2", "P3", "P4")]
    assert len(set(found[:3])) == 1, "each within the window of the one before"
    assert found[3] != found[0]


@pytest.mark.parametrize(
    "strange",
    [
        {},
        {"incident": "pd:X", "kind": "triggered", "occurred_at": "yesterday", "snapshot": None, "title": ""},
        {"incident": "pd:X", "kind": "triggered", "occurred_at": "2026-03-01T03:00:00", "snapshot": None, "title": ""},
        {"incident": "pd:X", "kind": "triggered", "occurred_at": "0001-01-01T00:00Z", "snapshot": None, "title": ""},
        {"incident": "pd:X", "kind": "triggered", "occurred_at": "9999-12-31T23:59Z", "snapshot": None, "title": ""},
        {"incident": None, "kind": "triggered", "occurred_at": "2026-03-01T03:00Z", "snapshot": None, "title": ""},
        {"incident": "pd:X", "kind": "triggered", "occurred_at": "2026-03-01T03:00Z", "snapshot": [1], "title": ""},
        {"incident": "pd:X", "kind": "triggered", "occurred_at": "2026-03-01T03:00Z", "snapshot": None, "title": 7},
        {"incident": "pd:X", "new_field": 1},
    ],
)
async def test_what_another_version_stored_does_not_stop_the_others(
    ledger: Ledger, url: str, strange: dict[str, object]
) -> None:
    await deliver(ledger, page("P1"))
    await put_changes(url, "pd:P1/triggered/2026-03-01T03:00:00+00:00", strange)
    await deliver(ledger, page("P2"))
    await fold(ledger)

    assert await ledger.deliveries.backlog() == 0
    assert await ledger.cases.of_incident("pd:P2")
    assert not await ledger.cases.of_incident("pd:X")


async def put_changes(url: str, key: str, changed: dict[str, object]) -> None:
    database = Database(url)
    async with database.writing() as connection:
        await connection.execute(update(deliveries).where(deliveries.c.key == key).values(changes=[changed]))
    await database.close()


class Breaks(ByService):
    """Says nothing of the second page."""

    def choose(self, incident: Incident, candidates: object) -> Case | None:
        if incident.key == "pd:P2":
            raise RuntimeError("the grouping broke")
        return None


async def test_a_batch_that_fails_folds_nothing(ledger: Ledger) -> None:
    await deliver(ledger, page("P1"), page("P2", 1))

    with pytest.raises(RuntimeError):
        await ledger.cases.fold(Breaks(), "C1")

    assert await ledger.deliveries.backlog() == 2
    assert await ledger.cases.of_incident("pd:P1") is None
    await fold(ledger)
    assert [each.key for each in (await only_case(ledger, "P1")).incidents] == ["pd:P1", "pd:P2"]


async def test_an_event_that_says_nothing_new_still_lets_the_card_be_looked_at(ledger: Ledger) -> None:
    await deliver(ledger, page("P1"))
    (case_id,) = await fold(ledger)
    await deliver(ledger, change("P1", "annotated", 30))

    assert await fold(ledger) == {case_id}
    assert await ledger.cases.behind() == [(case_id, 2)]
    assert await ledger.cases.behind([case_id + 1]) == []


async def test_an_event_of_no_kind_that_we_know_is_folded_into_nothing(ledger: Ledger) -> None:
    await ledger.deliveries.record(Delivery("pd:ping", "pagerduty", "pagey.ping", (), "{}"))

    assert await fold(ledger) == set()
    assert await ledger.deliveries.backlog() == 0


async def test_more_than_a_batch_is_folded_in_the_order_of_arrival(ledger: Ledger) -> None:
    await asyncio.gather(*(deliver(ledger, page(f"P{n}", n)) for n in range(150)))

    first = await ledger.cases.fold(ByService(), "C1")
    assert (first.deliveries, first.more) == (100, True)
    second = await ledger.cases.fold(ByService(), "C1")
    assert (second.deliveries, second.more, second.cases) == (50, False, first.cases)
    assert len((await only_case(ledger, "P0")).incidents) == 150


FOLDS = f"""
import asyncio, sys
sys.path.insert(0, {str(ROOT)!r})
from sre_bot.incidents import Ledger
from tests.incidents.pages import fold

async def main():
    ledger = await Ledger.open(sys.argv[1], busy_timeout=60)
    print("ready", flush=True)
    sys.stdin.readline()
    await fold(ledger)
    await ledger.close()

asyncio.run(main())
"""


async def test_two_processes_that_fold_at_once_make_no_case_twice(postgres_url: str, open_ledger: OpenLedger) -> None:
    one, two = [await open_ledger(postgres_url, busy_timeout=60) for _ in range(2)]
    services = [f"svc{n}" for n in range(8)]
    await asyncio.gather(*(deliver(one, page(f"P{n}", n, services[n % 8])) for n in range(240)))
    other = start_python(FOLDS, postgres_url)
    assert other.stdout
    assert other.stdin
    assert await asyncio.to_thread(other.stdout.readline) == "ready\n"
    other.stdin.write("go\n")
    other.stdin.flush()

    await asyncio.gather(fold(one), fold(two), asyncio.to_thread(other.wait))

    other.stdout.close()
    other.stdin.close()
    assert other.returncode == 0
    assert await one.deliveries.backlog() == 0
    found = [await only_case(one, f"P{n}") for n in range(240)]
    assert len({case.id for case in found}) == 8


async def test_a_card_that_was_never_posted_follows_the_channel(ledger: Ledger) -> None:
    await deliver(ledger, page("P1"), page("P2", service="auth"))
    await fold(ledger)
    posted = await only_case(ledger, "P1")
    await ledger.cases.posted(posted.id, "C1", "1.0")

    assert await ledger.cases.redirect("C2") == 1
    assert (await only_case(ledger, "P1")).channel == "C1"
    assert (await only_case(ledger, "P2")).channel == "C2"
