"""The card of a case: what it says and offers, whatever others wrote, and what its buttons do."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack.block_table import MESSAGE_BLOCKS
from sandbox.slack.blocks import faults_of
from sandbox.slack.dates import faults_of_dates
from sandbox.slack.mentions import in_blocks, in_text
from sre_bot.errors import Unreachable
from sre_bot.incidents.paging import IncidentStatus, Urgency
from sre_bot.slack.cards import incident
from sre_bot.slack.cards.incident import ACKNOWLEDGE, INVESTIGATE, SILENCE, Detail, Sheet
from sre_bot.slack.membership import Membership
from sre_bot.slack.sockets import Sockets
from tests.forged import forged_click
from tests.slack.cases import NINE, make_card, make_case, make_incident, resolved

ACKNOWLEDGED = IncidentStatus.ACKNOWLEDGED
NASTY = (
    "<!channel> *<@U0ADA00001>* &lt;!here> @everyone <https://evil.example|ok> [x](!channel) `~_`\n"
    "> \u202e<!date^1^x|y>"
)


def said(card: Any) -> str:
    return "\n".join(block["text"]["text"] for block in incident.render(card) if block["type"] in ("header", "section"))


def offered(card: Any) -> list[str]:
    return [
        element["action_id"]
        for block in incident.render(card)
        if block["type"] == "actions"
        for element in block["elements"]
    ]


def test_a_card_says_what_where_how_bad_since_when_who_and_how_it_goes():
    assert said(make_card()).splitlines() == [
        "🔴 Firing: High error rate on api-server",
        "*api-server* · *high* urgency · P1",
        f"Since {_token(1)} · with Ada Lovelace",
        "Owner Platform team · #platform-oncall",
        "🔎 Investigating: reading the logs of api-server.",
        "<https://acme.pagerduty.com/incidents/Q1|View in PagerDuty>",
    ]
    assert incident.notification(make_case()) == "🔴 Firing: High error rate on api-server · api-server"


def _token(minutes: int) -> str:
    moment = NINE + timedelta(minutes=minutes)
    return f"<!date^{int(moment.timestamp())}^{{date_short_pretty}} at {{time}}|2026-03-04 {moment:%H:%M} UTC>"


def test_what_nobody_knows_is_left_out_or_said_in_words():
    bare = make_incident(title=" ", priority="", service="", service_label="", assignees=(), urgency=Urgency.LOW)
    card = make_card(make_case(bare), owner="", escalation="", progress="", links={})
    assert said(card).splitlines() == [
        "🟠 Firing: an incident without a title",
        "*service unknown* · low urgency",
        f"Since {_token(1)}",
    ]


def test_the_sources_word_stands_for_a_service_that_the_catalog_does_not_know():
    assert "*Legacy billing*" in said(make_card(make_case(make_incident(service="", service_label="Legacy billing"))))


def test_a_storm_counts_its_pages_and_lists_the_newest_last():
    pages = [make_incident(number, title=f"Page {number}") for number in range(14)]
    pages[:5] = map(resolved, pages[:5])
    text = said(make_card(make_case(*pages)))
    assert text.startswith("🔴 Still firing ×14: Page 0")  # noqa: RUF001
    assert "*9 of 14 pages still open*" in text
    rows = [line for line in text.splitlines() if "|Page " in line]
    assert [row.split("|")[1].split(">")[0] for row in rows] == [f"Page {number}" for number in range(4, 14)]
    assert rows[0] == "✅ <https://acme.pagerduty.com/incidents/Q4|Page 4> · api-server · resolved"
    assert rows[-1] == "🔴 <https://acme.pagerduty.com/incidents/Q13|Page 13> · api-server · firing"
    assert "_and 4 more_" in text


def test_of_a_large_storm_what_is_open_is_shown_before_what_is_newer():
    pages = [make_incident(number, title=f"Page {number}") for number in range(200)]
    pages[3:] = map(resolved, pages[3:])
    text = said(make_card(make_case(*pages)))
    rows = [line for line in text.splitlines() if "|Page " in line]
    assert [row.split("|")[1].split(">")[0] for row in rows] == [
        f"Page {number}" for number in (0, 1, 2, *range(193, 200))
    ]
    assert "_and 190 more_" in text


def test_a_row_does_not_repeat_a_service_that_its_title_names():
    text = said(make_card(make_case(make_incident(1), make_incident(2))))
    assert text.count("|High error rate on api-server> · firing") == 2


def test_a_storm_names_its_services_and_the_gravest_of_what_is_open():
    pages = [
        make_incident(1, service="auth-svc", priority="P1", urgency=Urgency.HIGH),
        make_incident(2, service="api-server", priority="P3", urgency=Urgency.LOW),
        make_incident(3, service="payment-svc", priority="P2", urgency=Urgency.LOW),
        make_incident(4, service="postgres", priority="", urgency=Urgency.LOW),
    ]
    card = make_card(make_case(resolved(pages[0]), *pages[1:]))
    assert "*auth-svc, api-server, payment-svc, 1 more* · low urgency · P2" in said(card)


def test_a_resolved_case_says_so_with_its_duration():
    text = said(make_card(make_case(resolved(make_incident()))))
    assert text.startswith("✅ Resolved: High error rate")
    assert f"Resolved {_token(73)} after *1 h 12 min*" in text
    storm = said(make_card(make_case(*(resolved(make_incident(number), 2000) for number in range(3)))))
    assert storm.startswith("✅ Resolved ×3")  # noqa: RUF001
    assert "*All 3 pages resolved*" in storm
    assert "after *1 d 9 h*" in storm


def test_a_case_of_which_somebody_has_all_is_acknowledged():
    has = make_incident(status=ACKNOWLEDGED)
    assert said(make_card(make_case(has))).startswith("🟡 Acknowledged: ")
    assert said(make_card(make_case(has, make_incident(2)))).startswith("🔴 Still firing ×2: ")  # noqa: RUF001


@pytest.mark.parametrize(
    ("card", "buttons"),
    [
        (make_card(), [ACKNOWLEDGE, INVESTIGATE, SILENCE]),
        (make_card(can_acknowledge=False), [INVESTIGATE, SILENCE]),
        (make_card(can_silence=False), [ACKNOWLEDGE, INVESTIGATE]),
        (make_card(make_case(make_incident(status=ACKNOWLEDGED))), [INVESTIGATE, SILENCE]),
        (make_card(make_case(resolved(make_incident()))), [INVESTIGATE]),
    ],
    ids=["all", "nobody to tell", "nothing to silence", "acknowledged", "resolved"],
)
def test_only_what_is_possible_is_offered(card, buttons):
    assert offered(card) == buttons


@pytest.mark.parametrize("field", ["title", "priority", "service", "service_label", "url", "assignees"])
@pytest.mark.parametrize("storm", [False, True])
def test_no_field_of_an_incident_is_an_order_to_slack(field, storm):
    facts: dict[str, Any] = {"service": "", field: (NASTY,) if field == "assignees" else NASTY}
    _is_tame(make_card(make_case(*(make_incident(number, **facts) for number in range(3 if storm else 1)))))


@pytest.mark.parametrize("field", ["owner", "escalation", "progress", "links"])
def test_no_field_of_a_card_is_an_order_to_slack(field):
    facts: dict[str, Any] = {field: {NASTY: "https://e.example/<!channel>|<@U1>"} if field == "links" else NASTY}
    _is_tame(make_card(**facts))


def _is_tame(card: Any) -> None:
    for detail in Detail:
        content = Sheet(card, detail).content()
        blocks = content.get("blocks", [])
        assert not list(in_blocks(blocks))
        assert not list(in_text(content["text"], bare=True))
        assert "<!channel" not in str(blocks)
        assert "@everyone" not in str(blocks)
        assert "evil.example|" not in str([text for text in _texts(blocks) if text["type"] == "mrkdwn"])
        assert not faults_of(blocks, MESSAGE_BLOCKS, 50)
        assert not list(faults_of_dates(blocks))


def _texts(blocks: list[dict[str, Any]]) -> list[dict[str, str]]:
    return [block["text"] for block in blocks if "text" in block]


def test_only_web_addresses_are_links():
    links = {"Status": "javascript:alert(1)", "Empty": "", "Runbook": "https://wiki.example/r?a=1&b=2"}
    text = said(make_card(links=links))
    assert "javascript" not in text
    assert text.endswith("<https://wiki.example/r?a=1&amp;b=2|Runbook>")


words = st.one_of(
    st.text(max_size=80),
    st.text(alphabet="<>&|*_~`@#!^{}[]()\n\t\u202e\u200b:/ ab漢😀", max_size=400),
    st.sampled_from(
        ["", NASTY, "&" * 10_000, "x" * 10_000, "😀" * 10_000, "*a " * 3_000, "\ud800", "\x00", "@here " * 500]
    ),
    st.sampled_from(["https://x.example/" + "&" * 3_000, "http://", "https://x.example/?q=<!channel>"]),
)
incidents = st.builds(
    make_incident,
    st.integers(0, 500),
    title=words,
    priority=words,
    service=words,
    service_label=words,
    url=words,
    assignees=st.lists(words, max_size=8).map(tuple),
    status=st.sampled_from(IncidentStatus),
    urgency=st.sampled_from(Urgency),
    resolved_at=st.sampled_from([None, NINE, NINE + timedelta(days=400)]),
)
# A storm of 200 is a few incidents again and again: drawing 200 different ones takes seconds.
many = st.tuples(st.lists(incidents, min_size=1, max_size=12), st.sampled_from([1, 1, 17])).map(
    lambda drawn: make_case(*(drawn[0] * drawn[1])[:200])
)
cards = st.builds(
    make_card,
    many,
    owner=words,
    escalation=words,
    progress=words,
    can_acknowledge=st.booleans(),
    can_silence=st.booleans(),
    links=st.dictionaries(words, words, max_size=8),
)


@settings(max_examples=60)
@given(cards)
def test_whatever_is_in_a_card_slack_takes_it_and_notifies_nobody(card):
    for detail in Detail:
        content = Sheet(card, detail).content()
        blocks = content.get("blocks", [])
        assert faults_of(blocks, MESSAGE_BLOCKS, 50) == []
        assert list(faults_of_dates([content["text"], blocks])) == []
        assert list(in_blocks(blocks)) == list(in_text(content["text"], bare=True)) == []
        assert 0 < len(content["text"]) <= 150
        texts = [text["text"] for text in _texts(blocks)]
        assert sum(map(len, texts)) < 9_000, "longer messages were refused in the field"
        assert not any(char in text for text in texts for char in "\u202e\x00\ud800")


# --- Its buttons -----------------------------------------------------------------------------------------------------


class Duty:
    """Takes what people clicked; stands where workflows do."""

    def __init__(self) -> None:
        self.clicks: list[tuple[str, int, str]] = []
        self.trouble: Exception | None = None

    async def acknowledge(self, case_id: int, person: str) -> str:
        return self._note("acknowledge", case_id, person)

    async def investigate(self, case_id: int, person: str) -> str:
        return self._note("investigate", case_id, person)

    async def silence(self, case_id: int, person: str) -> str:
        return self._note("silence", case_id, person)

    def _note(self, what: str, case_id: int, person: str) -> str:
        if self.trouble:
            raise self.trouble
        again = (what, case_id, person) in self.clicks
        self.clicks.append((what, case_id, person))
        return f"{'Already done' if again else 'Done'}: {what} <!channel>."


class Desk:
    """A card on the board, and who clicks on it."""

    def __init__(self, slack: Any, duty: Duty, ts: str) -> None:
        self.slack = slack
        self.duty = duty
        self.ts = ts

    async def click(self, action: str, user: str = "Ada") -> None:
        await self.slack.order("actions", channel=self.slack.channel, ts=self.ts, user=user, action_id=action)

    async def told(self, count: int) -> list[dict[str, Any]]:
        """What was said to single people, once it is so much."""
        async with asyncio.timeout(60):
            while True:
                messages = (await self.slack.look("channel", channel=self.slack.channel))["messages"]
                if len(told := [message for message in messages if message.get("ephemeral_to")]) >= count:
                    return told
                await asyncio.sleep(0.02)


@pytest_asyncio.fixture
async def desk(slack) -> AsyncIterator[Desk]:
    client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/")
    app, duty = AsyncApp(client=client), Duty()
    incident.register(app, duty, Membership(client))
    await slack.order("clock", ack_within=60)  # on a busy machine an event is not sent again
    sockets = Sockets(app, slack.world["tokens"]["app"])
    await sockets.open()
    content = Sheet(make_card()).content()
    posted = await client.chat_postMessage(channel=slack.channel, **content, unfurl_links=False, unfurl_media=False)
    yield Desk(slack, duty, posted["ts"])
    await sockets.close()
    assert not (await slack.look("acks"))["redelivered"]


@pytest.mark.parametrize(
    ("action", "what"), [(ACKNOWLEDGE, "acknowledge"), (INVESTIGATE, "investigate"), (SILENCE, "silence")]
)
async def test_a_members_click_is_done_and_answered_to_them_alone(desk, slack, action, what):
    ada = slack.world["users"]["Ada"]
    await desk.click(action)
    (told,) = await desk.told(1)
    assert desk.duty.clicks == [(what, 7, ada)]
    assert (told["ephemeral_to"], told["thread_ts"]) == (ada, None)
    assert told["text"].startswith(f"Done: {what} ")


@pytest.mark.parametrize("value", [None, "x", "9" * 4_000])
async def test_a_click_whose_number_is_none_of_ours_is_answered_and_names_no_case(desk, slack, value):
    await slack.order("envelopes", payload=forged_click(slack, SILENCE, value))
    await desk.told(1)
    assert desk.duty.clicks == [("silence", 0, slack.world["users"]["Ada"])]


async def test_a_guest_may_not_use_the_buttons_and_is_told_so(desk, slack):
    await desk.click(ACKNOWLEDGE, "Guest")
    (told,) = await desk.told(1)
    assert "members of this workspace only" in told["text"]
    assert desk.duty.clicks == []


async def test_somebody_of_another_organisation_may_not_use_the_buttons(slack):
    place = slack.world["channels"]["shared-partner"]
    client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/")
    app, duty = AsyncApp(client=client), Duty()
    incident.register(app, duty, Membership(client))
    await slack.order("clock", ack_within=60)  # on a busy machine an event is not sent again
    sockets = Sockets(app, slack.world["tokens"]["app"])
    await sockets.open()
    content = Sheet(make_card()).content()
    ts = (await client.chat_postMessage(channel=place, **content, unfurl_links=False, unfurl_media=False))["ts"]
    await slack.order("actions", channel=place, ts=ts, user="Partner", action_id=ACKNOWLEDGE)
    async with asyncio.timeout(60):
        while not (calls := (await slack.look("calls", method="chat.postEphemeral"))["calls"]):
            await asyncio.sleep(0.02)
    assert "members of this workspace only" in calls[0]["args"]["text"]
    assert duty.clicks == []
    await sockets.close()


async def test_each_of_two_clicks_is_answered(desk):
    await asyncio.gather(desk.click(ACKNOWLEDGE), desk.click(ACKNOWLEDGE))
    told = sorted(message["text"].partition(":")[0] for message in await desk.told(2))
    assert told == ["Already done", "Done"]


async def test_what_could_not_be_done_is_said_in_its_own_words(desk):
    desk.duty.trouble = Unreachable("PagerDuty did not answer; the incident is as it was.")
    await desk.click(ACKNOWLEDGE)
    (told,) = await desk.told(1)
    assert told["text"] == "PagerDuty did not answer; the incident is as it was."
