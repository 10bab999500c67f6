"""Answers that no message takes: a file has all of it, once, whatever becomes of the calls."""

from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from benchmarks.stories import PACE, Room, squeeze
from sre_bot.agent.events import Outcome, RunEnded, TextDelta
from sre_bot.slack.files import Files
from sre_bot.slack.outbox import Outbox

END = RunEnded(Outcome.ANSWERED, "", "", None, 4.2, 0)
FOOTER = "_0 tool calls · 4 s_"
MODES = ("edit", "native")


def _long_text() -> str:
    """100 KB that read well: a verdict, code, and a conclusion."""
    lines = "\n".join(f"2026-03-04 line {number:05d} of the log <!channel>" for number in range(2_000))
    return f"The pool is **full**.\n\n```text\n{lines}\n```\n\nSo raise `DB_POOL_SIZE`."


async def _tell(slack: Any, mode: str, text: str) -> tuple[Room, str, list[dict[str, Any]]]:
    await slack.order("clock", rate=10 * PACE)
    await slack.order("streams", lifetime=3_000.0)
    room = Room.open(slack, slack.url, slack.world, mode, PACE)
    prompt = await room.ask("why?")
    reply = room.reply(mode, prompt, "turn:1")
    for start in range(0, len(text), 5_000):
        reply.show(TextDelta(text[start : start + 5_000]))
    reply.show(END)
    await reply.settle()
    return room, prompt, await room.read(prompt)


async def _content(slack: Any, file: dict[str, Any]) -> str:
    headers = {"Authorization": f"Bearer {slack.world['tokens']['bot']}"}
    async with aiohttp.ClientSession() as http, http.get(file["url_private"], headers=headers) as answer:
        return await answer.text()


@pytest.mark.parametrize("mode", MODES)
async def test_of_an_answer_beyond_the_bound_a_file_has_all_and_the_thread_its_beginning_and_end(slack, mode):
    text = _long_text()
    _, _, messages = await _tell(slack, mode, text)
    (file,) = [file for message in messages for file in message["files"]]
    assert await _content(slack, file) == text
    assert file["name"].endswith(".md")
    texts = [message["markdown"] for message in messages if message["markdown"]]
    assert len(texts) <= 4
    assert texts[0].startswith("The pool is **full**.")
    assert all(part.count("```") % 2 == 0 for part in texts)
    together = "".join(texts)
    assert "has all" in together
    assert together.endswith(f"So raise `DB_POOL_SIZE`.\n\n{FOOTER}")


@pytest.mark.parametrize("mode", MODES)
async def test_without_leave_to_upload_a_long_answer_arrives_whole_in_messages(slack, mode):
    await slack.order("faults", method="files.getUploadURLExternal", kind="error", error="missing_scope")
    text = "\n\n".join(f"Paragraph {number}: " + "word " * 150 for number in range(60))
    _, _, messages = await _tell(slack, mode, text)
    assert squeeze("".join(message["markdown"] for message in messages)) == squeeze(text + FOOTER)


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "http_500", "error_after", "ratelimited"])
async def test_a_file_is_there_once_whatever_becomes_of_the_call_that_shares_it(slack, kind):
    await slack.order("faults", method="files.completeUploadExternal", kind=kind)
    _, _, messages = await _tell(slack, "edit", _long_text())
    assert [file["title"] for message in messages for file in message["files"]] == ["The whole answer"]


@pytest.mark.parametrize("mode", MODES)
async def test_an_answer_that_slack_refuses_as_a_message_arrives_as_a_file(slack, mode):
    for method in ("chat.postMessage", "chat.update", "chat.startStream"):
        await slack.order("faults", method=method, kind="error", error="restricted_action", count=1_000)
    _, _, messages = await _tell(slack, mode, "The pool is full.")
    (message,) = messages
    assert "restricted_action" in message["text"]
    assert await _content(slack, message["files"][0]) == f"The pool is full.\n\n{FOOTER}"


async def test_where_blocks_are_refused_the_same_words_arrive_as_text(slack):
    await slack.order("faults", method="chat.postMessage", kind="bad_blocks", count=1_000)
    await slack.order("faults", method="chat.update", kind="bad_blocks", count=1_000)
    _, _, (message,) = await _tell(slack, "edit", "The **pool** is full: <!channel>.")
    assert message["blocks"] == []
    assert message["text"].replace("\u2060", "").startswith("The *pool* is full: <!channel>.")


async def test_a_file_is_found_by_its_name_in_a_thread_with_others(slack):
    client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/", retry_handlers=[])
    files = Files(client, Outbox(client))
    prompt = await slack.say("why?")
    for name in ("a.md", "b.md"):
        await files.share(slack.channel, prompt, name, name, "x")
    assert [file["name"] for message in await slack.replies(prompt) for file in message["files"]] == ["a.md", "b.md"]
