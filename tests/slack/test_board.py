"""Cards in the incident channel: one for each case whatever Slack does, in their turn, never lost."""

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.errors import BackendError, Unreachable
from sre_bot.slack.board import SlackBoard
from sre_bot.slack.cards.incident import INVESTIGATE
from sre_bot.slack.cards.reply import Page
from sre_bot.slack.outbox import Outbox, SlackRefused
from sre_bot.workflows.people import Card, Shown
from tests.slack.cases import make_card, make_case, make_incident, resolved


class Wall:
    """A board, the case that it shows, and what is on the channel's screen."""

    def __init__(self, slack: Any) -> None:
        self.slack = slack
        self.card = make_card(make_case(opened_at=_now()))
        self.board = self.restarted()

    def restarted(self, speed: float = 1.0, retries: int = 5) -> SlackBoard:
        """A board of another process, which remembers nothing."""
        handlers: Any = [AsyncRateLimitErrorRetryHandler(max_retry_count=retries)]
        token = self.slack.world["tokens"]["bot"]
        client = AsyncWebClient(token=token, base_url=f"{self.slack.url}/api/", retry_handlers=handlers)
        self.outbox = Outbox(client, speed)
        self.board = SlackBoard(self.outbox)
        return self.board

    def become(self, **facts: Any) -> None:
        """The case changes."""
        case = replace(self.card.case, revision=self.card.case.revision + 1, **facts)
        self.card = replace(self.card, case=case)

    async def now(self) -> Card:
        return self.card

    async def show(self, *, search: bool = False) -> Shown:
        shown = await self.board.show(self.now, search=search)
        self.card = replace(self.card, case=replace(self.card.case, thread_ts=shown.ts))
        return shown

    async def screen(self) -> list[dict[str, Any]]:
        messages = (await self.slack.look("channel", channel=self.slack.channel))["messages"]
        return [message for message in messages if message["bot"]]

    async def fault(self, method: str, kind: str, **more: Any) -> None:
        await self.slack.order("faults", method=method, kind=kind, **more)

    async def calls(self, method: str) -> list[dict[str, Any]]:
        return list((await self.slack.look("calls", method=method))["calls"])


def _now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def wall(slack) -> Wall:
    return Wall(slack)


async def test_a_card_is_posted_in_the_channel_and_then_kept_up_to_date(wall):
    first = await wall.show()
    wall.become(incidents=(make_incident(), make_incident(2)))
    assert await wall.show() == Shown(first.ts, 2)
    (message,) = await wall.screen()
    assert (message["ts"], message["thread_ts"]) == (first.ts, None)
    assert "Still firing ×2" in message["text"]  # noqa: RUF001
    assert message["edited"] is False


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "http_500", "error_after"])
async def test_a_post_whose_answer_is_lost_leaves_one_card_that_says_what_is_true_now(wall, kind):
    await wall.fault("chat.postMessage", kind)
    with pytest.raises(Unreachable):
        await wall.show()
    wall.become(incidents=(make_incident(title="Another title"),))
    wall.restarted()  # so that only the search can know
    shown = await wall.show(search=True)
    (message,) = await wall.screen()
    assert (message["ts"], shown.revision) == (shown.ts, 2)
    assert "Another title" in message["text"]


async def test_a_process_that_lost_an_answer_searches_although_nobody_says_so(wall):
    await wall.fault("chat.postMessage", "drop_after")
    with pytest.raises(Unreachable):
        await wall.show()
    await wall.fault("chat.update", "http_500")
    with pytest.raises(Unreachable):
        await wall.show()
    await wall.show()
    assert len(await wall.screen()) == 1


async def test_the_search_reads_on_and_finds_a_card_below_much_talk(wall, slack):
    await wall.fault("chat.postMessage", "drop_after")
    with pytest.raises(Unreachable):
        await wall.show()
    for number in range(210):
        await slack.say(f"talk {number}")
    wall.restarted()
    await wall.show(search=True)
    assert len(await wall.screen()) == 1
    assert len(await wall.calls("conversations.history")) == 2


async def test_the_search_ends_where_nobody_can_have_tried_yet(wall):
    await wall.show()
    wall.become(thread_ts=None, opened_at=_now() + timedelta(minutes=11))
    await wall.show(search=True)
    assert len(await wall.screen()) == 2


async def test_the_card_of_another_case_is_not_taken_for_this_one(wall):
    await wall.show()
    wall.become(thread_ts=None, id=8)
    await wall.show(search=True)
    assert len(await wall.screen()) == 2


async def test_an_update_waits_out_a_rate_limit(wall):
    await wall.show()
    wall.become(incidents=(resolved(make_incident()),))
    await wall.fault("chat.update", "ratelimited", retry_after=1)
    await wall.show()
    (message,) = await wall.screen()
    assert "Resolved" in message["text"]


async def test_a_card_says_what_is_true_when_its_turn_has_come(wall):
    await wall.show()
    for _ in range(5):  # what progress may take at once
        await wall.outbox.wait_to_update(progress=True)
    wall.become(incidents=(make_incident(title="Stale when sent"),))
    waiting = asyncio.create_task(wall.show())
    await asyncio.sleep(0)
    wall.become(incidents=(make_incident(title="True when sent"),))
    assert (await waiting).revision == 3
    (message,) = await wall.screen()
    assert "True when sent" in message["text"]
    assert not any("Stale" in str(call["args"]) for call in await wall.calls("chat.update"))


async def test_the_end_of_a_case_does_not_wait_behind_progress(wall):
    wall.restarted(speed=0.05)
    await wall.show()
    for _ in range(5):
        await wall.outbox.wait_to_update(progress=True)
    waiting = asyncio.create_task(wall.board.show(wall.now, search=False))
    wall_of_another = make_card(replace(wall.card.case, incidents=(resolved(make_incident()),)))

    async def closed() -> Card:
        return wall_of_another

    async with asyncio.timeout(30):
        await wall.board.show(closed, search=False)
    assert not waiting.done()
    waiting.cancel()


async def test_a_reply_waits_for_one_new_card_at_most(wall, slack):
    await slack.order("clock", rate=60)  # only the bot's own pace counts here
    ts = await slack.say("what is wrong?")
    cards = [make_card(make_case(id=number, opened_at=_now())) for number in range(6)]

    def reader(card: Card) -> Any:
        async def read() -> Card:
            return card

        return read

    showing = [asyncio.create_task(wall.board.show(reader(card), search=False)) for card in cards]
    await asyncio.sleep(0)
    said = await wall.outbox.post(slack.channel, ts, Page("The pool is full."), "turn:1/0")
    await asyncio.gather(*showing)
    posted = await wall.screen()
    assert len(posted) == 6
    assert sum(card["ts"] < said for card in posted) <= 4


@pytest.mark.parametrize("replies", [0, 1])
async def test_a_card_that_somebody_deleted_is_posted_anew(wall, slack, replies):
    first = await wall.show()
    for number in range(replies):
        await wall.board.tell(slack.channel, first.ts, f"Line {number}", f"line:{number}", search=False)
    await slack.order("messages/delete", channel=slack.channel, ts=first.ts)
    wall.become()
    second = await wall.show()
    assert second == Shown(second.ts, 2)
    assert second.ts != first.ts
    assert [message["ts"] for message in await wall.screen()] == [second.ts]


async def test_a_second_card_whose_answer_is_lost_is_found_too(wall, slack):
    first = await wall.show()
    await slack.order("messages/delete", channel=slack.channel, ts=first.ts)
    await wall.fault("chat.postMessage", "drop_after")
    with pytest.raises(Unreachable):
        await wall.show()
    wall.restarted()
    await wall.show(search=True)
    assert len(await wall.screen()) == 1


@pytest.mark.parametrize("code", ["invalid_blocks", "msg_too_long"])
@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_where_slack_refuses_the_blocks_less_is_shown_and_the_buttons_stay(wall, method, code):
    if method == "chat.update":
        await wall.show()
    await wall.fault(method, "error", error=code)
    await wall.show()
    (message,) = await wall.screen()
    assert "High error rate" in message["text"]
    assert "Owner" not in message["text"]
    assert INVESTIGATE in str(message["blocks"])


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_where_slack_refuses_every_block_the_words_are_shown(wall, method):
    if method == "chat.update":
        await wall.show()
    await wall.fault(method, "error", error="invalid_blocks", count=2)
    await wall.show()
    (message,) = await wall.screen()
    assert message["blocks"] == []
    assert message["notification"] == "🔴 Firing: High error rate on api-server · api-server"


@pytest.mark.parametrize(
    ("channel", "code"),
    [("C0NOWHERE01", "channel_not_found"), ("C0RANDOM001", "not_in_channel"), ("C0ARCHIVED1", "is_archived")],
)
async def test_a_channel_in_which_the_bot_cannot_post_is_named_with_what_to_do(wall, channel, code):
    wall.become(channel=channel)
    for search in (False, True):
        with pytest.raises(SlackRefused, match=f"{channel}.*{code}.*Invite the bot.*SLACK_INCIDENT_CHANNEL") as raised:
            await wall.show(search=search)
        assert raised.value.code == code


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
async def test_a_line_in_the_thread_is_said_once(wall, slack, kind):
    ts = (await wall.show()).ts
    await wall.fault("chat.postMessage", kind)
    with pytest.raises(Unreachable):
        await wall.board.tell(slack.channel, ts, "**Resolved** after 5 min <!channel>", "closing:7:1", search=False)
    board = wall.restarted()
    for _ in range(2):
        await board.tell(slack.channel, ts, "**Resolved** after 5 min <!channel>", "closing:7:1", search=True)
    _, line = await slack.replies(ts)
    assert line["text"].startswith("*Resolved* after 5 min")


async def test_a_line_that_is_too_long_for_one_message_loses_no_word(wall, slack):
    ts = (await wall.show()).ts
    text = "\n\n".join(f"Evidence {number}: " + "word " * 60 for number in range(40))
    await wall.board.tell(slack.channel, ts, text, "closing:7:1", search=False)
    _, *lines = await slack.replies(ts)
    assert "".join("".join(line["markdown"] for line in lines).split()) == "".join(text.split())


SEEDS = 30
SPEED = 60.0  # of the outbox: a minute's pace takes a second
METHODS = ("chat.postMessage", "chat.update", "conversations.history")
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "drop_before"},
    {"kind": "drop_after"},
    {"kind": "ratelimited"},
    {"kind": "http_500"},
    {"kind": "error_after"},
    {"kind": "error", "error": "invalid_blocks"},
)


async def test_whatever_fails_in_whatever_order_there_is_one_card_and_it_is_true(wall, slack):
    await slack.order("clock", rate=10 * SPEED)  # its limits are not met: only what a seed orders goes wrong
    for seed in range(SEEDS):
        chance = random.Random(seed)
        title = f"Seed {seed} revision "
        wall.restarted(SPEED, retries=0)
        wall.become(id=100 + seed, thread_ts=None, opened_at=_now())
        for revision in range(4):
            wall.become(incidents=(make_incident(title=f"{title}{revision}"),))
            await _show_under_faults(wall, chance)
        found = [message for message in await wall.screen() if title in message["text"]]
        assert [message["ts"] for message in found] == [wall.card.case.thread_ts], f"seed {seed}"
        assert f"{title}3" in found[0]["text"], f"seed {seed}"


async def _show_under_faults(wall: Wall, chance: random.Random) -> None:
    for _ in range(chance.randint(0, 2)):
        await wall.fault(chance.choice(METHODS), count=chance.randint(1, 2), **chance.choice(FAULTS))
    search = False
    while True:
        try:
            await wall.show(search=search)
        except BackendError:
            search = True
            if chance.random() < 0.5:
                wall.restarted(SPEED, retries=0)
        else:
            return
