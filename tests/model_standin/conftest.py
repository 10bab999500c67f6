"""A stand-in per test on a free loopback port, and a client that speaks the Messages API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from aiohttp import web

from sandbox.model.delivery import Pace
from sandbox.model.server import ModelServer

HEADERS = {"x-api-key": "sk-dummy", "anthropic-version": "2023-06-01", "content-type": "application/json"}
TOOLS = [
    {"name": f"mcp__sre__{name}", "description": name, "input_schema": {"type": "object"}}
    for name in (
        "get_service_health",
        "get_alerts",
        "get_logs",
        "get_recent_deployments",
        "query_metrics",
        "execute_runbook",
    )
]


@dataclass
class Standin:
    """The running stand-in, as its clients see it."""

    url: str
    http: httpx2.AsyncClient

    async def send(self, messages: list[Any], headers: dict[str, str] | None = None, **fields: Any) -> httpx2.Response:
        """Post a request that is not streamed."""
        body = {"model": "claude-opus-5-5", "max_tokens": 1024, "messages": messages, "tools": TOOLS, **fields}
        return await self.http.post(
            "/v1/messages?beta=true", content=json.dumps(body), headers=HEADERS if headers is None else headers
        )

    async def stream(self, messages: list[Any], **fields: Any) -> list[dict[str, Any]]:
        """Post a streamed request and return its events; raises what the connection raises."""
        body = {"model": "claude-opus-5-5", "max_tokens": 1024, "messages": messages, "tools": TOOLS, "stream": True}
        events = []
        async with self.http.stream(
            "POST", "/v1/messages?beta=true", content=json.dumps({**body, **fields}), headers=HEADERS
        ) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            name = ""
            async for line in response.aiter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    event = json.loads(line.removeprefix("data: "))
                    assert event["type"] == name
                    events.append(event)
        return events

    async def order(self, path: str, **order: Any) -> None:
        """Give an order to the control API; it must be taken."""
        answer = await self.http.post(f"/sandbox/{path}", json=order)
        assert answer.status_code == 200, answer.text

    async def seen(self, path: str) -> list[dict[str, Any]]:
        """Return the recorded `requests` or `violations`."""
        recorded: list[dict[str, Any]] = (await self.http.get(f"/sandbox/{path}")).json()[path]
        return recorded

    async def until_outcome(self, outcome: str) -> None:
        """Wait until a recorded request has this outcome."""
        while outcome not in [seen["outcome"] for seen in await self.seen("requests")]:
            await asyncio.sleep(0.01)


@pytest.fixture
async def standin() -> AsyncIterator[Standin]:
    runner = web.AppRunner(ModelServer(Pace()).application(), handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    url = f"http://{host}:{port}"
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as http:
        yield Standin(url, http)
    await runner.cleanup()


def user(*content: Any) -> dict[str, Any]:
    """A user message of texts and blocks."""
    return {"role": "user", "content": [{"type": "text", "text": c} if isinstance(c, str) else c for c in content]}


def assistant(*content: Any) -> dict[str, Any]:
    """An assistant message of texts and blocks."""
    return {**user(*content), "role": "assistant"}


def call(call_id: str, tool: str = "get_alerts", **arguments: Any) -> dict[str, Any]:
    """A tool_use block."""
    return {"type": "tool_use", "id": call_id, "name": f"mcp__sre__{tool}", "input": arguments}


def result(call_id: str, text: str = "ok", **fields: Any) -> dict[str, Any]:
    """A tool_result block."""
    return {"type": "tool_result", "tool_use_id": call_id, "content": [{"type": "text", "text": text}], **fields}
