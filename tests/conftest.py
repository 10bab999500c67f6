"""The real Claude Code CLI and the real tool process, against the model's stand-in on loopback."""

import asyncio
import functools
import gc
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from sandbox import postgres as postgresql
from sandbox.model.delivery import Pace
from sandbox.model.server import ModelServer
from sandbox.postgres import Postgres
from sre_bot.agent.exhibits import Keeper
from sre_bot.agent.options import AgentOptions
from sre_bot.agent.pool import SessionPool
from sre_bot.incidents.ledger import Ledger
from sre_bot.settings import ROOT, load_settings

READ_TOOLS = tuple(
    f"mcp__sre__{name}" for name in ("get_service_health", "get_logs", "plot_metrics", "read_service_config")
)

# A process that has to wait for a processor is no slow example.
hypothesis_settings.register_profile(
    "busy", hypothesis_settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("busy")

gc.disable()  # until all tests are collected: nothing of it is garbage, and looking for it takes a fifth of the time


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


class Model:
    """The model's stand-in: scripts what it says and how it fails."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self._http = http

    async def script(self, marker: str, *turns: Any) -> None:
        await self._post("script", {"marker": marker, "turns": list(turns)})

    async def fault(self, **order: Any) -> None:
        await self._post("faults", order)

    async def pace(self, **pace: Any) -> None:
        await self._post("pace", pace)

    async def key(self, key: str) -> None:
        """From now on any other key is refused."""
        await self._post("key", {"key": key})

    async def requests(self) -> list[dict[str, Any]]:
        async with self._http.get(f"{self.url}/sandbox/requests") as answer:
            return list((await answer.json())["requests"])

    async def violations(self) -> list[Any]:
        async with self._http.get(f"{self.url}/sandbox/violations") as answer:
            return list((await answer.json())["violations"])

    async def _post(self, path: str, body: dict[str, Any]) -> None:
        async with self._http.post(f"{self.url}/sandbox/{path}", json=body) as answer:
            assert answer.status < 300, await answer.text()


@pytest_asyncio.fixture
async def model() -> AsyncIterator[Model]:
    """A stand-in of its own for each test, in the test's loop: its client is the CLI, a process."""
    runner = web.AppRunner(ModelServer(Pace()).application(), handler_cancellation=True, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as http:
        stand_in = Model("http://{}:{}".format(*runner.addresses[0][:2]), http)
        yield stand_in
        violations = await stand_in.violations()
    await runner.cleanup()
    assert violations == []


@functools.cache
def _slack_house() -> subprocess.Popen[str]:
    """The process in which the stand-ins run; it ends with its input, when the tests do."""
    command = [sys.executable, "-m", "tests.slack_house"]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _ask_slack_house(order: Sequence[str] | str) -> str:
    house = _slack_house()
    assert house.stdin
    assert house.stdout
    house.stdin.write(f"{json.dumps(order)}\n")
    house.stdin.flush()
    answer = house.stdout.readline().strip()
    assert answer, f"the process of Slack's stand-ins ended with status {house.wait()}"
    return answer


class Slack:
    """The Slack stand-in: what people do, what they see, and what the bot got wrong."""

    def __init__(self, url: str, http: aiohttp.ClientSession, world: dict[str, Any]) -> None:
        self.url = url
        self.world = world
        self.channel: str = world["channels"]["incidents"]
        self.bot: str = world["bot"]["user"]
        self._http = http

    async def look(self, path: str, **query: str) -> dict[str, Any]:
        async with self._http.get(f"{self.url}/sandbox/{path}", params=query) as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())

    async def order(self, path: str, **body: Any) -> dict[str, Any]:
        async with self._http.post(f"{self.url}/sandbox/{path}", json=body) as answer:
            assert answer.status < 300, await answer.text()
            return dict(await answer.json())

    async def say(self, text: str, thread_ts: str | None = None, **more: Any) -> str:
        body = {"channel": self.channel, "user": "Ada", "text": text} | more
        return str((await self.order("messages", **body, **({"thread_ts": thread_ts} if thread_ts else {})))["ts"])

    async def replies(self, ts: str) -> list[dict[str, Any]]:
        """What the bot has in a thread."""
        messages = (await self.look("thread", channel=self.channel, ts=ts))["messages"]
        return [message for message in messages if message["bot"]]


@pytest_asyncio.fixture
async def slack() -> AsyncIterator[Slack]:
    """A stand-in of its own for each test; at its end nothing may be amiss in what the bot sent."""
    async with running_slack() as stand_in:
        yield stand_in


@asynccontextmanager
async def running_slack(*arguments: str) -> AsyncIterator[Slack]:
    """A new stand-in until the block ends, which fails where anything is amiss in what the bot sent."""
    url = await asyncio.to_thread(_ask_slack_house, arguments)
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{url}/sandbox/world") as answer:
            world = await answer.json()
        stand_in = Slack(url, http, world)
        yield stand_in
        violations = (await stand_in.look("violations"))["violations"]
        pings = (await stand_in.look("pings"))["pings"]
    await asyncio.to_thread(_ask_slack_house, url)
    assert violations == []
    assert pings == [], "the bot notified somebody"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Postgres]:
    """The server that tests share, started for the first that asks; whoever stops a server takes one of its own."""
    _need_postgres()
    server = await Postgres.start(tmp_path_factory.mktemp("postgres"))
    yield server
    await server.stop()


@pytest_asyncio.fixture
async def own_postgres(tmp_path: Path) -> AsyncIterator[Postgres]:
    """A server of the test's own, which it may stop, crash and resume."""
    _need_postgres()
    server = await Postgres.start(tmp_path / "postgres")
    yield server
    await server.stop()


def _need_postgres() -> None:
    if postgresql.find_binaries() is None:
        pytest.skip("no PostgreSQL here: `make` installs it where it can")


@pytest.fixture(scope="session")
def migrated_database(postgres: Postgres) -> str:
    """The name of a database that holds an empty ledger, to be copied."""

    async def migrate() -> None:
        await (await Ledger.open(postgres.create_database("migrated"))).close()

    asyncio.run(migrate())
    return "migrated"


@pytest.fixture
def postgres_url(postgres: Postgres, migrated_database: str) -> Iterator[str]:
    """An empty ledger on PostgreSQL."""
    name = f"test_{uuid4().hex}"
    yield postgres.create_database(name, migrated_database)
    postgres.drop_database(name)


@pytest.fixture
def empty_postgres_url(postgres: Postgres) -> Iterator[str]:
    """A PostgreSQL database with nothing in it."""
    name = f"test_{uuid4().hex}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A ledger's database of the test's own, on each of the two; SQLite's file is not there yet."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'var' / 'sre_bot.db'}"


@pytest_asyncio.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = await Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield opened
    await opened.close()


@pytest.fixture
def tool_server() -> dict[str, Any] | None:
    """How the sessions of `make_pool` start their tool process: as the bot does. Some folders start a lighter one."""
    return None


@pytest_asyncio.fixture
async def make_pool(
    model: Model, ledger: Ledger, tmp_path: Path, tool_server: dict[str, Any] | None
) -> AsyncIterator[Callable[..., SessionPool]]:
    """Makes pools on one ledger; a second pool is another process as far as the first is concerned."""
    pools: list[SessionPool] = []

    def make(**overrides: str) -> SessionPool:
        settings = load_settings(
            {
                "ANTHROPIC_API_KEY": "sandbox-no-key",
                "ANTHROPIC_BASE_URL": model.url,
                "SLACK_BOT_TOKEN": "xoxb-secret-of-slack",
                "SLACK_APP_TOKEN": "xapp-secret-of-slack",
                "PROMETHEUS_URL": "http://127.0.0.1:9",
                "SRE_STATE_DIR": str(tmp_path / "agent"),
                "SRE_SPARE_SESSIONS": "0",
                **overrides,
            }
        )
        options = AgentOptions(
            settings, READ_TOOLS, ledger.transcripts, keeper=Keeper(ledger.exhibits), server=tool_server
        )
        pool = SessionPool(options, settings.run, settings.house, lambda name, _arguments: f"calling {name}")
        pools.append(pool)
        return pool

    yield make
    for pool in pools:
        await pool.close()
