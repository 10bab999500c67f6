"""Ids of evidence on the real CLI: each result has its own, whatever ran beside it, and whoever goes on."""

from typing import Any
from uuid import uuid4

import pytest

from sre_bot.agent.events import ImageShown
from sre_bot.agent.exhibits import tag, text_of
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import Thread
from tests.agent.test_images import read

CONFIG = {"tool": "mcp__sre__read_service_config", "input": {"service": "api-server"}}
HEALTH = {"tool": "mcp__sre__get_service_health", "input": {}}


async def bound(ledger: Ledger, pool: Any) -> tuple[Thread, Any]:
    """A thread, and the session that holds its conversation."""
    thread = await ledger.thread("C1", "1.0", team="T1", started_by="U1")
    session = await pool.take(None)
    await ledger.bind_session(thread.id, session.id)
    return thread, session


async def run(session: Any, prompt: str) -> None:
    async for _ in session.ask(prompt, uuid4()):
        pass


async def test_every_result_has_its_id_before_the_model_reads_it(ledger, model, make_pool):
    await model.script("QUESTION", [CONFIG, HEALTH, CONFIG], {"text": "Read."})
    thread, session = await bound(ledger, make_pool())
    await run(session, "QUESTION")
    kept = await ledger.exhibits.read(thread.id, range(1, 10))
    assert sorted(kept) == [1, 2, 3]
    by_tool = {each.tool.removeprefix("mcp__sre__"): each for each in kept.values()}
    assert not by_tool["get_service_health"].ok, "Prometheus is down in this test"
    assert by_tool["get_service_health"].text.startswith("UNREACHABLE")
    assert by_tool["read_service_config"].arguments == {"service": "api-server"}
    tagged = sorted(f"[E{each.number}] {each.text}" for each in kept.values() if each.ok)
    assert len(tagged) == 2
    # Of calls made side by side, whichever is answered last is read last.
    assert sorted(text for text in (await model.requests())[-1]["results"] if text.startswith("[E")) == tagged
    await session.close()


async def test_numbers_go_on_when_the_thread_is_resumed_in_another_process(ledger, model, make_pool):
    first = make_pool()
    await model.script("FIRST", CONFIG, {"text": "Read."})
    thread, session = await bound(ledger, first)
    await run(session, "FIRST")
    await first.give_back(session)
    await first.close()
    await model.script("SECOND", CONFIG, {"text": "Read again."})
    resumed = await make_pool().take(session.id)
    await run(resumed, "SECOND")
    assert (await model.requests())[-1]["last_result"].startswith("[E2] api-server")
    assert sorted(await ledger.exhibits.read(thread.id, range(1, 10))) == [1, 2]
    await resumed.close()


async def test_what_cannot_be_kept_is_read_all_the_same(ledger, model, make_pool):
    await model.script("QUESTION", CONFIG, {"text": "Read."})
    session = await make_pool().take(None)  # bound to no thread
    await run(session, "QUESTION")
    assert (await model.requests())[-1]["last_result"].startswith("api-server")
    await session.close()


@pytest.mark.parametrize(
    ("response", "words", "tagged"),
    [
        ("said", "said", "[E3] said"),
        ([{"type": "text", "text": "said"}], "said", [{"type": "text", "text": "[E3] said"}]),
        ([], "", [{"type": "text", "text": "[E3]"}]),
        ([{"type": "image", "source": {}}], "", [{"type": "text", "text": "[E3]"}, {"type": "image", "source": {}}]),
        ({"a": 1}, '{"a": 1}', [{"type": "text", "text": '[E3] {"a": 1}'}]),
        (None, "null", [{"type": "text", "text": "[E3] null"}]),
    ],
)
def test_a_response_of_any_shape_has_words_and_takes_an_id(response: object, words: str, tagged: object):
    assert text_of(response) == words
    assert tag(response, 3) == tagged


def test_the_id_is_no_part_of_a_picture_s_title():
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}}
    assert read([{"type": "text", "text": "[E4] CPU usage\nmore"}, image]) == [
        ImageShown(b"\x89PNG", "image/png", "CPU usage")
    ]
