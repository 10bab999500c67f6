"""A chart on its way: from the tool's process through the real CLI to the model, and to whoever shows the run."""

import io
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from claude_agent_sdk import AssistantMessage, ToolResultBlock, ToolUseBlock, UserMessage
from PIL import Image

from sre_bot.agent.events import ImageShown, ToolFinished
from sre_bot.agent.stream import RunStream

PLOT = "mcp__sre__plot_metrics"


@pytest_asyncio.fixture
async def prometheus() -> AsyncIterator[str]:
    """Answers every range query with one service whose error rate rises."""

    async def answer(request: web.Request) -> web.Response:
        form = await request.post()
        start, end, step = (float(str(form[name])) for name in ("start", "end", "step"))
        values = [[start + n * step, str(n / 1000)] for n in range(int((end - start) / step) + 1)]
        result = [{"metric": {"service": "api-server"}, "values": values}]
        return web.json_response({"status": "success", "data": {"resultType": "matrix", "result": result}})

    application = web.Application()
    application.router.add_post("/api/v1/query_range", answer)
    async with TestServer(application) as server:
        yield str(server.make_url("")).rstrip("/")


def read(content: Any) -> list[ImageShown]:
    """The pictures of one tool result, as the SDK gives it."""
    stream = RunStream(lambda name, _arguments: name)
    list(stream.read(AssistantMessage([ToolUseBlock("call", PLOT, {})], model="m")))
    result = UserMessage([ToolResultBlock("call", content)])
    return [event for event in stream.read(result) if isinstance(event, ImageShown)]


def test_a_result_gives_its_pictures_under_the_first_line_of_its_text():
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}}
    assert read([{"type": "text", "text": "CPU\x00 usage\napi-server 1"}, image]) == [
        ImageShown(b"\x89PNG", "image/png", "CPU usage")
    ]
    assert read([image]) == [ImageShown(b"\x89PNG", "image/png", "")]


@pytest.mark.parametrize(
    "content",
    [
        "text",
        None,
        [],
        [{"type": "text", "text": "no picture"}],
        [{"type": "image"}],
        [{"type": "image", "source": {"type": "base64", "data": "not base64!"}}],
        [{"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}],
    ],
)
def test_whatever_is_no_picture_gives_none(content):
    assert read(content) == []


async def test_a_chart_reaches_the_model_as_an_image_and_the_run_as_an_event(model, make_pool, prometheus):
    await model.script("QUESTION", {"tool": PLOT, "input": {"query": "error_rate"}}, {"text": "It rises."})
    session = await make_pool(PROMETHEUS_URL=prometheus).take(None)
    events = [event async for event in session.ask("QUESTION", uuid4())]
    assert [event.ok for event in events if isinstance(event, ToolFinished)] == [True]
    (shown,) = [event for event in events if isinstance(event, ImageShown)]
    assert shown.media_type == "image/png"
    assert shown.title.startswith("Error rate (5xx), ")
    with Image.open(io.BytesIO(shown.data)) as picture:
        assert (picture.format, picture.width) == ("PNG", 1200)
    assert (await model.requests())[-1]["images"] == ["image/png"]
    await session.close()
