"""One card for each case whatever fails, questions that are asked once, an end that is told once; on both databases."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from sre_bot.incidents import ApprovalState, Ledger, Proposal
from sre_bot.incidents.paging import Change, Urgency
from sre_bot.tools.publications import POSTMORTEM, announce
from sre_bot.workflows.cases import PUBLISHING
from tests.incidents.pages import change, page, resolution, snapshot

from .house import living
from .wall import AFTER, BEFORE, REFUSED, Wall


@pytest.fixture
def url(database_url: str) -> str:
    return database_url


@pytest.fixture
def wall() -> Wall:
    return Wall()


def slow(key: str, seconds: float, service: str = "api-server", title: str = "") -> Change:
    return change(key, "triggered", seconds, replace(snapshot(service=service), title=title))


@pytest.mark.parametrize("faults", [(), (BEFORE,), (AFTER,), (AFTER, BEFORE, AFTER, AFTER), (BEFORE, AFTER)])
async def test_a_page_gets_one_card_whatever_fails(url: str, wall: Wall, faults: tuple[str, ...]) -> None:
    wall.faults.extend(faults)
    async with living(url, wall) as house:
        await house.receive(page("P1", service="api-server"))
        await house.settled()
        case = await house.case("P1")
    assert list(wall.cards) == ["1.0"] == [case.thread_ts]
    assert wall.newest().owner == "Platform team"
    assert wall.newest().escalation == "#platform-oncall"


async def test_the_card_shows_what_is_newest(url: str, wall: Wall) -> None:
    async with living(url, wall) as house:
        await house.receive(page("P1", service="api-server"))
        await house.settled()
        seen = snapshot(service="api-server")
        for n in range(1, 9):
            await house.receive(change("P1", "escalated", n, replace(seen, assignees=(f"U{n}",))))
        await house.settled()
        case = await house.case("P1")
    assert wall.newest().case.first.assignees == ("U8",)
    assert wall.newest().case.revision == case.revision == case.shown_revision
    assert list(wall.cards) == ["1.0"]


async def test_a_card_that_another_life_may_have_posted_is_looked_for(url: str, wall: Wall) -> None:
    """The first life posts the card and ends before it hears of that."""
    wall.faults.append(AFTER)
    async with living(url, wall, boot="b1") as first:
        await first.receive(page("P1", service="api-server"))
        await first.until(lambda: wall.cards)
    async with living(url, wall, boot="b2") as second:
        await second.settled()
        assert (await second.case("P1")).thread_ts == "1.0"
    assert list(wall.cards) == ["1.0"]


async def test_a_channel_that_takes_nothing_is_told_and_its_cards_come_when_it_is_corrected(
    url: str, wall: Wall
) -> None:
    wall.closed.add("C1")
    async with living(url, wall) as house:
        await house.receive(page("P1", service="api-server"))
        await house.until(lambda: house.work.refusal)
        assert "C1" in house.work.refusal
        case = await house.case("P1")
        async with asyncio.timeout(30):
            while not await house.engine.ended(f"case:{case.id}:{case.revision}"):
                await asyncio.sleep(0.02)
    async with living(url, wall, channel="C2") as house:
        await house.settled()
        case = await house.case("P1")
        assert (case.channel, case.thread_ts, house.work.refusal) == ("C2", "1.0", "")
        assert len(house.desk.prompts) == 1
        assert house.desk.prompts[0][0].channel == "C2"


async def test_the_agent_is_asked_once_for_what_is_wrong(url: str, wall: Wall) -> None:
    async with living(url, wall) as house:
        await house.receive(slow("P1", 0, title="latency is 5.1 s"))
        await house.settled()
        await house.receive(slow("P2", 1, title="latency is 6.2 s"), change("P1", "annotated", 5))
        await house.settled()
        (asked,) = house.desk.prompts
    assert asked[1] is Urgency.HIGH
    assert asked[0].thread_ts == "1.0"
    assert not asked[0].by_person
    assert "PagerDuty incidents: P1." in asked[0].text


async def test_a_late_symptom_reopens_the_question_after_a_pause_that_doubles(url: str, wall: Wall) -> None:
    async with living(url, wall, SRE_ASK_AGAIN=0.6) as house:
        await house.receive(slow("P1", 0, title="latency"))
        await house.until(lambda: len(house.desk.prompts) == 1)
        await house.settled()
        for number, title in enumerate(("errors", "saturation", "disk"), start=2):
            await house.receive(slow(f"P{number}", number, title=title))
        await house.until(lambda: len(house.desk.prompts) == 2)
        assert "pages belong to this incident now" in house.desk.texts[1]
        first, second = [each.created_at for each in await house.ledger.unfinished_turns()]
        assert (second - first).total_seconds() >= 0.6

        await house.receive(slow("P5", 5, title="memory"))
        await house.until(lambda: len(house.desk.prompts) == 3)
        third = (await house.ledger.unfinished_turns())[2].created_at
        assert (third - second).total_seconds() >= 1.2
    assert len({prompt.ts for prompt, _ in house.desk.prompts}) == 3


async def test_what_comes_back_is_asked_about_again_and_each_end_is_told_once(url: str, wall: Wall) -> None:
    over: list[str] = []

    async def note(_channel: str, _thread_ts: str, episode: str) -> None:
        over.append(episode)

    async with living(url, wall, SRE_ASK_AGAIN=0.1) as house:
        house.work.closed = note
        await house.receive(page("P1", service="api-server"))
        await house.settled()
        assert over == []
        await house.receive(resolution("P1", 60, "api-server"))
        await house.settled()
        await house.receive(change("P1", "annotated", 70))
        await house.settled()
        assert [key.rpartition(":")[2] for key, _ in wall.told] == ["1"]

        await house.receive(change("P1", "reopened", 90, snapshot(service="api-server")))
        await house.until(lambda: len(house.desk.prompts) == 2)
        assert "has come back (time 2)" in house.desk.texts[1]
        await house.receive(resolution("P1", 120, "api-server"))
        await house.settled()
    assert [key.rpartition(":")[2] for key, _ in wall.told] == ["1", "2"]
    assert over == ["1:1", "1:2"], "what cards beside it offer is looked at anew"
    assert "Resolved" in wall.told[0][1]
    assert "1 min" in wall.told[0][1]


@pytest.mark.parametrize("fault", [BEFORE, AFTER])
async def test_the_end_is_told_once_although_slack_fails(url: str, wall: Wall, fault: str) -> None:
    async with living(url, wall, SRE_AUTO_INVESTIGATE=False) as house:
        await house.receive(page("P1", service="api-server"))
        await house.settled()
        wall.faults.extend(["", fault])
        await house.receive(resolution("P1", 60, "api-server"))
        await house.settled()
    assert len(wall.told) == 1


async def test_an_end_that_nobody_can_be_told_does_not_keep_the_case_behind(url: str, wall: Wall) -> None:
    async with living(url, wall, SRE_AUTO_INVESTIGATE=False) as house:
        await house.receive(page("P1", service="api-server"))
        await house.settled()
        wall.faults.extend(["", REFUSED])
        await house.receive(resolution("P1", 60, "api-server"))
        await house.settled()
        assert (await house.case("P1")).told_episode == 1
    assert wall.told == []


async def test_without_automatic_investigation_nothing_is_asked(url: str, wall: Wall) -> None:
    async with living(url, wall, SRE_AUTO_INVESTIGATE=False) as house:
        await house.receive(page("P1", service="api-server"))
        await house.settled()
        assert house.desk.prompts == []
    assert wall.newest().case.open


async def test_two_hundred_pages_of_one_fault_are_one_case_with_few_questions(url: str, wall: Wall) -> None:
    services = ("api-server", "payment-svc", "auth-svc", "postgres")
    async with living(url, wall, SRE_ASK_AGAIN=60) as house:
        await asyncio.gather(*(house.receive(slow(f"P{n}", n, services[n % 4], f"error {n}")) for n in range(200)))
        await house.settled()
        case = await house.case("P0")
        assert len(case.incidents) == 200
        assert len(house.desk.prompts) == 1
        await house.receive(*(resolution(f"P{n}", 300, services[n % 4]) for n in range(200)))
        await house.settled()
    assert list(wall.cards) == ["1.0"]
    assert len(wall.newest().case.incidents) == 200
    assert not wall.newest().case.open
    assert [text for _, text in wall.told if "200 pages" in text]
    assert len(wall.told) == 1


async def test_a_run_in_a_cards_thread_is_told_on_the_card(url: str, wall: Wall) -> None:
    async with living(url, wall) as house:
        await house.receive(page("P1", service="api-server"))
        await house.settled()
        (turn,) = await house.ledger.unfinished_turns()
        await house.ledger.runs.begin(turn.id, "", 10)
        house.work.changed("C1", "1.0")
        house.work.changed("C1", "of no card")
        await house.until(lambda: wall.newest().progress == "Investigating …")
        await house.settled()
        assert "api-server" in await house.work.background("C1", "1.0")
        assert await house.work.background("C1", "of no card") == ""


LINK = "https://x.atlassian.net/wiki/spaces/SRE/pages/7"
REPORT = {"title": "x", "root_cause": "**The pool** was 1.\nMore."}


async def publish(ledger: Ledger) -> str:
    """A call that publishes has begun in the card's thread."""
    expires = datetime.now(UTC) + timedelta(minutes=5)
    await ledger.approvals.propose(Proposal("toolu_1", uuid4(), POSTMORTEM, REPORT, expires, None, "C1", "1.0"))
    for state in (ApprovalState.PENDING, ApprovalState.APPROVED, ApprovalState.EXECUTING):
        await ledger.approvals.move("toolu_1", state, by="U1")
    await ledger.approvals.consume("toolu_1", POSTMORTEM, REPORT)
    return announce(f"x (page 7) {LINK}", made=True)


async def test_the_end_waits_for_the_page_with_which_it_was_resolved(url: str, wall: Wall) -> None:
    async with living(url, wall) as house:
        await house.receive(page("P1", service="api-server"))
        await house.settled()
        outcome = await publish(house.ledger)
        await house.receive(resolution("P1", 60, "api-server"))  # PagerDuty tells of it before the tool has answered
        await house.until(lambda: not wall.newest().case.open)
        await house.ledger.approvals.move("toolu_1", ApprovalState.SUCCEEDED, outcome=outcome)
        await house.settled()
        house.work.changed("C1", "1.0")
        await house.until(lambda: "Post-mortem" in wall.newest().links)
    ((_, told),) = wall.told
    assert told.splitlines() == [
        "✅ **Resolved** after 1 min.",
        "Root cause, as investigated: The pool** was 1.",
        f"Post-mortem: {LINK}",
    ]
    assert wall.newest().links["Post-mortem"] == LINK


async def test_a_page_whose_making_died_holds_no_end_up(url: str, wall: Wall) -> None:
    async with living(url, wall) as house:
        await house.receive(page("P1", service="api-server"))
        await house.settled()
        await publish(house.ledger)
        approval = await house.ledger.approvals.find("toolu_1")
        assert approval
        await house.ledger.approvals.note(approval.id, started_at=datetime.now(UTC) - PUBLISHING)
        await house.receive(resolution("P1", 60, "api-server"))
        await house.settled()
    ((_, told),) = wall.told
    assert "There is no post-mortem yet" in told
