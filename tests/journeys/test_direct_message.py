"""A conversation in a direct message with the running bot: streamed as it is written, stopped, followed up, resumed."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sandbox.stack import Stack
from sandbox.terminal import is_complete
from sre_bot.slack.status import STATUS

from .test_incident import order

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(400)]

DM = "D0ADA00001"
QUESTION = "500 errors spiking on api-server"
OVER = ("ended", "stopped_by_user", None)


class Talk:
    """Ada's direct message with the bot."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    async def say(self, text: str, thread_ts: str | None = None) -> str:
        message = {"channel": DM, "user": "Ada", "text": text} | ({"thread_ts": thread_ts} if thread_ts else {})
        async with self.stack.http.post(f"{self.stack.slack.found}/sandbox/messages", json=message) as answer:
            return str((await answer.json())["ts"])

    async def replies(self, ts: str) -> list[dict[str, Any]]:
        params = {"channel": DM, "ts": ts}
        async with self.stack.http.get(f"{self.stack.slack.found}/sandbox/thread", params=params) as answer:
            return [message for message in (await answer.json())["messages"] if message["bot"]]

    async def look(self, path: str, **params: str) -> dict[str, Any]:
        async with self.stack.http.get(f"{self.stack.slack.found}/sandbox/{path}", params=params) as answer:
            return dict(await answer.json())

    async def statuses(self, ts: str) -> list[str]:
        """What stood below a thread, one after the other."""
        calls = (await self.look("calls", method="assistant.threads.setStatus"))["calls"]
        return [str(call["args"].get("status", "")) for call in calls if call["args"]["thread_ts"] == ts]

    async def growing(self, ts: str) -> dict[str, Any]:
        """The stream of a reply, as soon as it says anything and while it is open."""
        async with asyncio.timeout(120):
            while True:
                for message in await self.replies(ts):
                    if message["stream"] == "open" and message["markdown"]:
                        return message
                await asyncio.sleep(0.1)

    async def answers(self, ts: str, count: int = 1) -> list[dict[str, Any]]:
        """The messages with which so many replies ended."""
        async with asyncio.timeout(120):
            while len(ends := [message for message in await self.replies(ts) if _is_over(message)]) < count:
                await asyncio.sleep(0.1)
        return ends


def _is_over(message: dict[str, Any]) -> bool:
    return message["stream"] in OVER and (is_complete(message) or message["stream"] == "stopped_by_user")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def talk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Talk]:
    folder: Path = tmp_path_factory.mktemp("direct")
    async with Stack(folder, requests_per_second=40) as stack:
        yield Talk(stack)
        assert (await stack.look(stack.slack, "violations"))["violations"] == []
        assert (await stack.look(stack.slack, "pings"))["pings"] == []


async def test_the_first_question_is_suggested_asked_streamed_and_rated(talk: Talk):
    await order(talk.stack, talk.stack.slack, "home", user="Ada", tab="messages")
    async with asyncio.timeout(30):
        while not (offers := (await talk.look("calls", method="assistant.threads.setSuggestedPrompts"))["calls"]):
            await asyncio.sleep(0.1)
    assert offers[0]["args"]["prompts"]
    await order(talk.stack, talk.stack.model, "pace", chars_per_second=400)
    ts = await talk.say(QUESTION)
    grown = await talk.growing(ts)
    (answer,) = await talk.answers(ts)
    assert answer["markdown"].startswith(grown["markdown"].rstrip()[:40]), "what was shown stays where it was"
    assert "**Verdict:**" in answer["markdown"]
    plan = answer["blocks"][0]
    assert (plan["type"], bool(plan["tasks"])) == ("plan", True)
    assert {task["status"] for task in plan["tasks"]} <= {"complete", "error"}
    assert all(" s" in task["title"] for task in plan["tasks"]), "every call with its duration"
    (buttons,) = answer["blocks"][-1]["elements"]
    click = {"channel": DM, "ts": answer["ts"], "user": "Ada", "action_id": buttons["action_id"]}
    await order(talk.stack, talk.stack.slack, "actions", **click, value=buttons["positive_button"]["value"])
    async with asyncio.timeout(30):
        while not (told := (await talk.look("calls", method="chat.postEphemeral"))["calls"]):
            await asyncio.sleep(0.1)
    assert "this answer helped" in told[-1]["args"]["text"]
    async with asyncio.timeout(30):
        while (statuses := await talk.statuses(ts))[-1:] != [""]:  # nothing may look as if it still ran
            await asyncio.sleep(0.1)
    assert statuses[0] == STATUS


async def test_a_follow_up_in_the_thread_goes_on_with_the_conversation(talk: Talk):
    ts = await talk.say(QUESTION)
    await talk.answers(ts)
    await talk.say("why?", thread_ts=ts)
    _, second = await talk.answers(ts, count=2)
    assert second["stream"] == "ended"
    assert "not Claude" not in second["markdown"], "the playbook introduces itself at the start of a conversation only"


@pytest.mark.parametrize("way", ["the word", "Slack's own button"])
async def test_stop_ends_the_run_and_the_conversation_can_go_on(talk: Talk, way: str):
    await order(talk.stack, talk.stack.model, "faults", kind="hang_mid", count=1)
    ts = await talk.say(QUESTION)
    message = await talk.growing(ts)
    if way == "the word":
        await talk.say("stop", thread_ts=ts)
    else:
        await order(talk.stack, talk.stack.slack, "streams/stop", channel=DM, ts=message["ts"], user="Ada")
    (ended,) = await talk.answers(ts)
    if way == "the word":
        assert "🛑 **Stopped." in ended["markdown"]
    else:
        assert ended["stream"] == "stopped_by_user"
    assert "context_actions" not in str(ended["blocks"]), "there is no answer to rate"
    await talk.say("go on", thread_ts=ts)
    assert "**" in (await talk.answers(ts, count=2))[1]["markdown"]


async def test_catch_up_is_seen_by_who_asks_and_costs_no_run(talk: Talk):
    ts = await talk.say(QUESTION)
    await talk.answers(ts)
    assert talk.stack.model
    before = len((await talk.stack.look(talk.stack.model, "requests"))["requests"])
    asked = 0
    async with asyncio.timeout(60):
        while True:  # an answer is recorded a moment after it was shown
            await talk.say("catch up", thread_ts=ts)
            asked += 1
            while len(seen := [m for m in await talk.replies(ts) if m.get("ephemeral_to")]) < asked:
                await asyncio.sleep(0.1)
            if "Verdict:" in seen[-1]["text"]:
                break
    assert seen[-1]["ephemeral_to"] == talk.stack.person
    for words in ("Asked", QUESTION, "Nothing waits for anybody"):
        assert words in seen[-1]["text"]
    assert len((await talk.stack.look(talk.stack.model, "requests"))["requests"]) == before


async def test_after_a_crash_of_the_bot_a_message_is_answered_with_what_was_said_before(talk: Talk):
    await order(talk.stack, talk.stack.model, "faults", kind="hang_mid", count=1)
    ts = await talk.say(QUESTION)
    await talk.growing(ts)
    talk.stack.bot.kill()
    await talk.stack.bot.wait()
    await talk.stack.start_bot()
    (first,) = await talk.answers(ts)
    assert "**Verdict:**" in first["markdown"], "what ran goes on"
    assert not [message for message in await talk.replies(ts) if message["stream"] == "open"]
    await talk.say("why?", thread_ts=ts)
    _, second = await talk.answers(ts, count=2)
    assert "not Claude" not in second["markdown"], "it remembers the conversation"
    new = await talk.say(QUESTION)
    assert (await talk.answers(new))[0]["stream"] == "ended", "and streams as before"
