"""The app's tabs, through the real Bolt app: a home that is right when opened and while it is looked at; prompts."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack.block_table import VIEW_BLOCKS
from sandbox.slack.blocks import faults_of
from sandbox.slack.mentions import in_blocks
from sre_bot.catalog import Severity
from sre_bot.errors import LedgerError
from sre_bot.incidents.model import Turn, TurnState
from sre_bot.incidents.paging import Urgency
from sre_bot.slack import home
from sre_bot.slack.cards.home import render
from sre_bot.slack.home import MOST_READERS, PROMPTS_TITLE, Home
from sre_bot.slack.membership import Membership
from sre_bot.slack.outbox import Outbox
from sre_bot.slack.sockets import Sockets
from sre_bot.workflows.overview import ALWAYS, Overview, Spending, SuggestedPrompt
from sre_bot.workflows.vigil import Firing, Outlook, ServiceState

from .cases import NINE, make_case, make_incident
from .test_proposal_card import NASTY, make

WELL = Outlook((ServiceState("api-server", Severity.OK, ()),), (), {"Prometheus": ""})
CALM = Overview((), 0, (), (), WELL, (Spending("last hour", 0.0, 20.0),))


def make_run(author: str = "U0ADA00001", **facts: Any) -> Turn:
    run = Turn(
        *(uuid4(), 1, "C0INCIDENTS", "1.0", "1.0", author, "why is it slow?", TurnState.RUNNING, NINE, NINE, None),
        *("", "", (), None, None, 0, "", 1, Urgency.HIGH, False),
    )
    return replace(run, **facts)


def text_of(overview: Overview, reader: str = "U0ADA00001", **links: str) -> str:
    return json.dumps(
        render(overview, reader, {("C0INCIDENTS", ts): url for ts, url in links.items()}), ensure_ascii=False
    )


def test_a_calm_home_says_so_and_how_to_begin() -> None:
    shown = text_of(CALM)
    for words in ("✅ Nothing is open", "✅ api-server", "✅ Prometheus: answering", "$0.00 of $20.00", "catch up"):
        assert words in shown


def test_what_is_wrong_comes_first_with_what_it_is_and_where() -> None:
    case = make_case(make_incident(title="Too many 500s"), thread_ts="1.0")
    outlook = Outlook(
        (
            ServiceState("api-server", Severity.CRITICAL, ("Error rate (5xx)",)),
            ServiceState("db", Severity.NO_DATA, ()),
        ),
        (Firing("HighErrorRate", "api-server"),),
        {"Prometheus": "", "PagerDuty": "PagerDuty did not answer."},
    )
    shown = text_of(
        replace(CALM, cases=[case], cases_open=3, waiting=[make()], outlook=outlook), **{"1.0": "https://x/p1"}
    )
    for words in (
        "🔴 3 incidents open, 1 service beyond a threshold",
        "<https://x/p1|Too many 500s>",
        "and 2 more, in the incident channel",
        "✋ *#12* Set DB\u200b_POOL",
        "🔴 *api-server* CRITICAL: Error rate (5xx)",
        "❔ *db* NO DATA",
        "1 alert firing: HighErrorRate",
        "⚠️ *PagerDuty*: PagerDuty did not answer.",
    ):
        assert words.replace("\u200b", "") in shown.replace("\u200b", ""), words


def test_health_that_cannot_be_read_is_not_called_well() -> None:
    shown = text_of(replace(CALM, outlook=Outlook((), (), {"Prometheus": "Prometheus did not answer."})))
    assert "health is not known" in shown
    assert "✅ Nothing" not in shown


def test_of_somebody_elses_conversation_only_that_there_is_one_is_shown() -> None:
    overview = replace(CALM, runs=[make_run(prompt="a secret", author="U0GRACE001")])
    shown = text_of(overview, **{"1.0": "https://x/p1"})
    assert "in somebody's conversation" in shown
    assert "secret" not in shown
    assert "https://x/p1" not in shown
    assert "yours: a secret" in text_of(overview, reader="U0GRACE001")
    of_incident = replace(overview, cases=[make_case(thread_ts="1.0")], cases_open=1)
    assert "🔎 High error rate on api-server" in text_of(of_incident)


@settings(max_examples=50)
@given(
    words=st.text(max_size=300) | st.sampled_from([NASTY, NASTY * 50, "&" * 9_000, "👩\u200d🚒" * 2_000, ""]),
    many=st.integers(min_value=0, max_value=10),
)
def test_whatever_others_wrote_a_home_fits_slack_and_calls_nobody(words: str, many: int) -> None:
    case = make_case(*[make_incident(title=words, service=words, service_label=words)] * 2, thread_ts="1.0")
    proposal = make(plan=replace(make().plan, summary=words))
    services = tuple(ServiceState(words, severity, (words,)) for severity in Severity)
    overview = Overview(
        *([case] * many, many + 1, [make_run(prompt=words)] * many, [proposal] * many),
        outlook=Outlook(services * many, (Firing(words, words),) * many, {"Prometheus": words}),
        spending=CALM.spending,
    )
    view = render(overview, "U0ADA00001", {("C0INCIDENTS", "1.0"): "https://x.example/p1"})
    assert faults_of(view["blocks"], VIEW_BLOCKS, 100) == []
    assert list(in_blocks(view["blocks"])) == []


# --- In Slack --------------------------------------------------------------------------------------------------------


class Looks:
    """What is going on; stands where the workflow does."""

    def __init__(self) -> None:
        self.now = CALM
        self.broken = False
        self.looks = 0

    async def look(self) -> Overview:
        self.looks += 1
        if self.broken:
            raise LedgerError("The database does not answer.")
        return self.now

    async def prompts(self) -> list[SuggestedPrompt]:
        return [SuggestedPrompt("Why is api-server failing?", "Why?"), *ALWAYS]


class Tabs:
    """A bot's tabs, and the people who open them."""

    def __init__(self, slack: Any, looks: Looks, tabs: Home) -> None:
        self.slack, self.looks, self.tabs = slack, looks, tabs

    async def open(self, user: str = "Ada", tab: str = "home") -> None:
        await self.slack.order("home", user=user, tab=tab)

    async def shows(self, words: str, user: str = "Ada") -> dict[str, Any]:
        """Wait until somebody's home has these words."""
        async with asyncio.timeout(60):
            while words not in str(view := await self.view(user)):
                await asyncio.sleep(0.02)
        return view

    async def view(self, user: str = "Ada") -> dict[str, Any]:
        return dict((await self.slack.look("home", user=self.slack.world["users"][user]))["view"] or {})

    async def published(self) -> list[dict[str, Any]]:
        return list((await self.slack.look("calls", method="views.publish"))["calls"])

    async def calls(self, method: str, count: int) -> list[dict[str, Any]]:
        async with asyncio.timeout(60):
            while len(calls := (await self.slack.look("calls", method=method))["calls"]) < count:
                await asyncio.sleep(0.02)
        return [call["args"] for call in calls]

    async def looked(self, more: int) -> None:
        """Wait until the bot has looked for changes so many times more."""
        wanted = self.looks.looks + more
        async with asyncio.timeout(60):
            while self.looks.looks < wanted:
                await asyncio.sleep(0.01)


LATELY = 600.0


@pytest_asyncio.fixture
async def tabs(slack, request) -> AsyncIterator[Tabs]:
    looks = Looks()
    client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/", retry_handlers=[])
    app = AsyncApp(client=client)
    lately = getattr(request, "param", LATELY)
    tabs = Home(client, Outbox(client, 1_000.0), Membership(client), looks, every=0.02, lately=lately)
    home.register(app, tabs)
    await slack.order("clock", rate=1_000, ack_within=60)  # on a busy machine an event is not sent again
    sockets = Sockets(app, slack.world["tokens"]["app"])
    await sockets.open()
    tabs.open()
    yield Tabs(slack, looks, tabs)
    await tabs.close()
    await sockets.close()


async def test_a_home_is_published_to_who_opens_it_and_again_when_it_changes(tabs: Tabs) -> None:
    await tabs.open()
    await tabs.shows("Nothing is open")
    await tabs.looked(5)
    assert len(await tabs.published()) == 1, "what is the same is not published again"
    ts = await tabs.slack.say("a card")
    tabs.looks.now = replace(CALM, cases=[make_case(thread_ts=ts)], cases_open=1)
    view = await tabs.shows("1 incident open")
    assert f"/archives/C0INCIDENTS/p{ts.replace('.', '')}|High error rate" in str(view)
    await tabs.looked(5)
    assert len(await tabs.published()) == 2
    assert len(await tabs.calls("chat.getPermalink", 1)) == 1, "addresses are remembered"


async def test_each_reader_has_a_home_of_their_own(tabs: Tabs) -> None:
    tabs.looks.now = replace(CALM, runs=[make_run(prompt="my question")])
    for user in ("Ada", "Grace"):
        await tabs.open(user)
    await tabs.shows("my question", "Ada")
    assert "my question" not in str(await tabs.shows("in somebody's conversation", "Grace"))


@pytest.mark.parametrize("tabs", [0.0], indirect=True, ids=["opened long ago"])
async def test_a_home_that_was_opened_long_ago_is_left_as_it_is_until_it_is_opened_again(tabs: Tabs) -> None:
    await tabs.open()
    await tabs.shows("Nothing is open")
    tabs.looks.now = replace(CALM, cases_open=2)
    async with asyncio.timeout(60):
        while tabs.tabs._readers:
            await asyncio.sleep(0.01)
    assert len(await tabs.published()) == 1
    await tabs.open()
    await tabs.shows("2 incidents open")


async def test_only_so_many_homes_are_kept_up_to_date(tabs: Tabs) -> None:
    body = {"team_id": tabs.slack.world["team"]}
    for number in range(MOST_READERS + 5):
        tabs.tabs._readers[f"U{number}"] = home.Reader(1e12)
    await tabs.tabs.opened({"user": tabs.slack.world["users"]["Ada"], "channel": "D0ADA00001", "tab": "home"}, body)
    assert len(tabs.tabs._readers) == MOST_READERS
    assert tabs.slack.world["users"]["Ada"] in tabs.tabs._readers
    for number in range(MOST_READERS + 5):
        tabs.tabs._readers.pop(f"U{number}", None)


async def test_another_replica_that_heard_of_a_later_opening_goes_on_alone(tabs: Tabs) -> None:
    await tabs.open()
    await tabs.shows("Nothing is open")
    client = AsyncWebClient(token=tabs.slack.world["tokens"]["bot"], base_url=f"{tabs.slack.url}/api/")
    other = {"type": "home", "blocks": [{"type": "header", "text": {"type": "plain_text", "text": "Another's"}}]}
    await client.views_publish(user_id=tabs.slack.world["users"]["Ada"], view=other)
    tabs.looks.now = replace(CALM, cases_open=2)
    async with asyncio.timeout(60):
        while tabs.tabs._readers:
            await asyncio.sleep(0.01)
    await tabs.shows("Another's")


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "http_500", "ratelimited"])
async def test_a_home_whose_publishing_failed_is_published_again(tabs: Tabs, kind: str) -> None:
    await tabs.open()
    await tabs.shows("Nothing is open")
    await tabs.slack.order("faults", method="views.publish", kind=kind, count=1)
    tabs.looks.now = replace(CALM, cases_open=2)
    await tabs.shows("2 incidents open")
    tabs.looks.now = replace(CALM, cases_open=3)
    await tabs.shows("3 incidents open")


async def test_without_the_ledger_a_home_says_so_and_comes_back(tabs: Tabs) -> None:
    tabs.looks.broken = True
    await tabs.open()
    await tabs.shows("The database does not answer.")
    tabs.looks.broken = False
    await tabs.shows("Nothing is open")


async def test_an_address_that_slack_does_not_give_leaves_a_title_without_a_link(tabs: Tabs) -> None:
    tabs.looks.now = replace(CALM, cases=[make_case(thread_ts="1.000001")], cases_open=1)
    await tabs.open()
    assert "|High error rate" not in str(await tabs.shows("High error rate on api-server"))


async def test_a_guest_sees_why_there_is_nothing_to_see(tabs: Tabs) -> None:
    await tabs.open("Guest")
    view = await tabs.shows("members of this workspace only", "Guest")
    assert "api-server" not in str(view)
    await tabs.open("Guest", "messages")
    await tabs.open("Ada", "messages")
    (offered,) = await tabs.calls("assistant.threads.setSuggestedPrompts", 1)
    assert offered["channel_id"] == "D0ADA00001"


async def test_the_messages_tab_offers_prompts_that_belong_to_no_thread(tabs: Tabs) -> None:
    await tabs.open(tab="messages")
    (offered,) = await tabs.calls("assistant.threads.setSuggestedPrompts", 1)
    assert offered["title"] == PROMPTS_TITLE
    assert "thread_ts" not in offered
    assert [prompt["title"] for prompt in offered["prompts"]][:2] == ["Why is api-server failing?", ALWAYS[0].title]
    assert await tabs.published() == []


async def test_prompts_that_slack_refuses_are_no_trouble(tabs: Tabs, caplog) -> None:
    caplog.set_level("INFO")
    await tabs.slack.order("scopes", without=["assistant:write"])
    await tabs.open(tab="messages")
    async with asyncio.timeout(60):
        while "no prompts in D0ADA00001" not in caplog.text:
            await asyncio.sleep(0.01)
    await tabs.open()
    await tabs.shows("Nothing is open")


def test_times_are_shown_as_moments_so_that_nothing_changes_by_itself() -> None:
    overview = replace(CALM, cases=[make_case(opened_at=NINE - timedelta(days=2))], cases_open=1, runs=[make_run()])
    assert "ago" not in text_of(overview)
    assert text_of(overview).count("<!date^") == 2
