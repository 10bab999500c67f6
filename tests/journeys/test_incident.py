"""The stories that the demo tells, from a mention in Slack to the answer in its thread, on real processes."""

import asyncio
import re
from typing import Any

import pytest

from sandbox.stack import Stack
from sandbox.stories import POOL
from sandbox.terminal import is_complete
from tests.process_tree import descendants, read_process

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

QUESTION = "@SRE Bot 500 errors spiking on api-server"
CALM = 'max_over_time(service:http_p99_milliseconds:max{service="api-server"}[20s]) < 400'


async def answers(stack: Stack, ts: str, count: int = 1, patience: float = 90) -> list[str]:
    """The bot's complete answers in a thread, as soon as there are so many; cards are none."""
    async with asyncio.timeout(patience):
        while True:
            replies = [message for message in await stack.thread(ts) if message["bot"] and message["markdown"]]
            if len([reply for reply in replies if is_complete(reply)]) >= count:
                return [str(reply["markdown"]) for reply in replies]
            await asyncio.sleep(0.1)


async def proposal(stack: Stack, ts: str) -> str:
    """The number of the proposal that waits in a thread."""
    async with asyncio.timeout(60):
        while True:
            for message in await stack.thread(ts):
                if found := re.search(r"Waits for your decision: #(\d+)", message["text"]):
                    return found[1]
            await asyncio.sleep(0.1)


async def order(stack: Stack, part: Any, path: str, **body: Any) -> None:
    """An order to a stand-in."""
    async with stack.http.post(f"{part.found}/sandbox/{path}", json=body) as answer:
        assert answer.status < 300, await answer.text()


async def look_at_evidence(stack: Stack, ts: str) -> None:
    """Click on the id of the health check below an answer: a window shows the call and what it said."""
    async with asyncio.timeout(30):  # the buttons follow the answer
        while not (below := [found for message in await stack.thread(ts) if (found := _shows(message, "health"))]):
            await asyncio.sleep(0.1)
    shown, button = below[0]
    asked = {"channel": stack.channel, "ts": shown["ts"], "user": "Ada", "action_id": button["action_id"]}
    await order(stack, stack.slack, "actions", **asked)
    async with asyncio.timeout(30):
        while not (calls := (await stack.look(stack.slack, "calls", method="views.open"))["calls"]):
            await asyncio.sleep(0.1)
    view = str(calls[-1]["args"]["view"])
    assert f"Evidence {button['text']['text']}" in view
    assert "breaches a threshold" in view, "the health of the services, as it was read"


def _shows(message: dict[str, Any], what: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """A button that shows evidence of such a call. Of calls made side by side, either may have the lower number."""
    buttons = [each for block in message["blocks"] for each in block.get("elements", []) if message["bot"]]
    evidence = [each for each in buttons if str(each.get("action_id")).startswith("show_evidence:")]
    return next(((message, each) for each in evidence if what in each["accessibility_label"]), None)


async def test_a_false_alarm_ends_in_nothing_is_wrong_with_the_figures_that_show_it(stack: Stack):
    await stack.await_figures(CALM, timeout=120)  # while all parts start at once, the fleet may be slow in truth
    (answer,) = await answers(stack, await stack.say(QUESTION))
    assert re.search(r"nothing is wrong", answer, re.IGNORECASE)
    assert re.search(r"error rate \d", answer), "the evidence quotes a figure"
    assert re.search(r"✅ _(\d+) of \1 claims are borne out", answer), "every claim stands in what it cites"
    assert not POOL.cause.search(answer)


async def test_no_child_of_the_bot_holds_its_secrets(stack: Stack):
    await answers(stack, await stack.say(QUESTION))
    children = descendants(stack.bot.pid)
    assert len(children) >= 2, "at least one CLI with its tool process"
    tokens = [stack.world["tokens"]["bot"], stack.world["tokens"]["app"]]
    own = read_process(stack.bot.pid)
    for pid in children:
        held = read_process(pid)
        if held == own:
            continue  # forked a moment ago: it is the bot's own memory until another program begins
        assert not [token for token in tokens if token in held]


async def test_a_broken_fleet_ends_in_the_true_cause_and_survives_a_crash_of_the_bot(stack: Stack):
    await stack.break_by(POOL)
    ts = await stack.say(QUESTION)
    (answer,) = await answers(stack, ts)
    assert POOL.cause.search(answer)
    assert "- ✅ Checking the health" in answer, "tool calls are visible, one line each"
    assert "**Cause:** api-server: database connection pool exhausted [E" in answer
    assert "not supported by evidence" not in answer
    await look_at_evidence(stack, ts)

    number = await proposal(stack, ts)
    await stack.say(f"reject {number} I only want to know", thread_ts=ts)
    _, rejected = await answers(stack, ts, count=2)
    assert "I only want to know" in rejected

    stack.bot.kill()
    await stack.bot.wait()
    await stack.start_bot()
    await stack.say("why?", thread_ts=ts)
    *_, follow_up = await answers(stack, ts, count=3)
    assert "DB_POOL_SIZE" in follow_up, "it remembers what it found before the crash"
    assert "not Claude" not in follow_up, "the playbook introduces itself at the start of a conversation only"

    await order(stack, stack.model, "faults", kind="hang_mid", count=1)
    await stack.say("and now?", thread_ts=ts)
    async with asyncio.timeout(60):  # before that there is no run yet that could go on
        while (await stack.look(stack.model, "requests"))["requests"][-1]["outcome"] != "hang_mid":
            await asyncio.sleep(0.1)
        while "⏳" not in (last := (await stack.thread(ts))[-1])["text"] or not last["bot"]:
            await asyncio.sleep(0.1)
    stack.bot.kill()
    await stack.bot.wait()
    await stack.start_bot()
    async with asyncio.timeout(120):
        while True:
            texts = [message["text"] for message in await stack.thread(ts)]
            went_on = any("I go on here" in text for text in texts)
            if went_on and not any("⏳" in text for text in texts):  # in the end nothing looks as if it still ran
                break
            await asyncio.sleep(0.1)

    await stack.deploy(DB_POOL_SIZE="20")


async def test_a_chart_that_the_model_asks_for_is_seen_by_the_model_and_by_the_thread(stack: Stack):
    assert stack.model
    calls = [
        {"tool": "mcp__sre__plot_metrics", "input": {"query": signal, "start": "-15m"}}
        for signal in ("error_rate", "db_connections")
    ]
    await order(stack, stack.model, "script", marker="CHARTS", turns=[calls, {"text": "Two charts, above."}])
    ts = await stack.say("@SRE Bot CHARTS of the incident, please")
    messages: list[dict[str, Any]] = []
    async with asyncio.timeout(90):
        while sum(bool(message["files"]) or is_complete(message) for message in messages) < 3:
            await asyncio.sleep(0.1)
            messages = await stack.thread(ts)
    assert "- ✅ Drawing `error_rate`" in str(messages)
    files = {file["title"].partition(",")[0]: file for message in messages for file in message["files"]}
    assert set(files) == {"Error rate (5xx)", "DB connections"}
    bearer = {"Authorization": f"Bearer {stack.world['tokens']['bot']}"}
    for file in files.values():
        assert file["mimetype"] == "image/png"
        async with stack.http.get(file["url_private"], headers=bearer) as answer:
            assert 5_000 < len(await answer.read()) < 100_000
    asked = (await stack.look(stack.model, "requests"))["requests"]
    assert [each for each in asked if "CHARTS" in each["last_user_text"]][-1]["images"] == ["image/png"] * 2


async def test_without_prometheus_the_answer_is_inconclusive_and_claims_no_health(stack: Stack):
    stack.prometheus.kill()
    await stack.prometheus.wait()
    (answer,) = await answers(stack, await stack.say(QUESTION))
    assert re.search(r"inconclusive", answer, re.IGNORECASE)
    assert not re.search(r"nothing is wrong|is healthy", answer, re.IGNORECASE)
