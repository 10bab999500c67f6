"""Any arguments to any tool that there is: a result or a clear error, bounded, never a defect, and no file changed."""

import asyncio
import shutil
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre_bot.catalog import load_catalog
from sre_bot.settings import ROOT, load_tool_settings
from sre_bot.tools.offer import describe_tools, open_tools
from sre_bot.tools.spec import Access, Answer, Tool, ToolSpec
from tests.tools.every_tool import NOWHERE, ORDINARY, Surroundings, surroundings

SPECS = {spec.name: spec for spec in describe_tools()}
SERVICES = load_catalog(ROOT / "config").services
ERROR_LIMIT = 2_000  # characters
PATIENCE = 60.0  # seconds

SHAPES: tuple[Any, ...] = (
    *(True, 7, -1, 10**30, -1.5, float("nan"), float("inf")),
    *("", " ", "\n", "\x00", "\ud800", "9" * 400, "x" * 20_000, "{service}"),
    *("../../etc/passwd", "api-server.env", "$(id); `id` | tee x", "<p>&"),
)
"""Wrong for most parameters; a tool may find a meaning in some."""

CONTAINERS: tuple[Any, ...] = ([], ["api-server"], {}, {"service": "api-server"}, [[[]]])
"""Wrong for every parameter: all are flat."""

PLAUSIBLE = st.sampled_from(
    [
        *("up", 'up{a="b"}', "rate(up[5m]) > 1", "load", "sum(", "{{", "'; drop", "a\x00b"),
        *("now-1h", "-30m", "14:05Z", "1700000000", "15s", "0s", "-7d", "#1", "1"),
        *("DB_POOL_SIZE", "APP_VERSION", "20", "2.14.1", "postgres", *ORDINARY.values()),
    ]
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=50)
    | PLAUSIBLE
    | st.sampled_from(SHAPES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
T = TypeVar("T")


class Bench:
    """The tools with the stand-ins behind them, on an event loop of their own that outlives every example."""

    def __init__(self, folder: Path, prometheus: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._parts = AsyncExitStack()
        self._thread.start()
        self.around: Surroundings
        self.tools: Mapping[str, Tool]
        self._wait(self._open(folder, prometheus))
        self._shipped = self.listing()

    async def _open(self, folder: Path, prometheus: str) -> None:
        self.around = await self._parts.enter_async_context(surroundings(folder, prometheus))
        allowed = load_tool_settings(self.around.environ)
        tools, _ = await self._parts.enter_async_context(open_tools(allowed, changes=True))
        self.tools = {tool.spec.name: tool for tool in tools}

    def close(self) -> None:
        self._wait(self._parts.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def call(self, name: str, arguments: Mapping[str, Any]) -> Answer:
        """Call a tool and check what holds for every answer; what a call changed is put back."""
        spec = self.tools[name].spec
        answer = self._wait(self.tools[name].call(arguments))
        assert answer.text.strip()
        assert len(answer.text) <= (ERROR_LIMIT if answer.is_error else spec.limit)
        answer.text.encode()
        assert "defect of the tool" not in answer.text, f"{name} {arguments!r}: {answer.text}"
        assert "\n" not in spec.describe_call(arguments)
        self._check_files(spec, arguments, answer)
        return answer

    def listing(self) -> dict[Path, bytes]:
        """Every file that a tool could reach, with its content."""
        return {path: path.read_bytes() for path in self.around.env_dir.parent.rglob("*") if path.is_file()}

    def _check_files(self, spec: ToolSpec, arguments: Mapping[str, Any], answer: Answer) -> None:
        now = self.listing()
        if now == self._shipped:
            return
        assert spec.access is Access.CHANGE, f"{spec.name} {arguments!r} changed a file"
        assert not answer.is_error, f"{arguments!r} failed and changed a file"
        # What succeeds was allowed: a service of the catalog, a declared key, a value that its declaration accepts.
        service = SERVICES[arguments["service"]]
        if "key" in arguments:
            assert service.config[arguments["key"]].accepts(str(arguments["value"]))
        changed = {path.name for path in now if now[path] != self._shipped.get(path)}
        assert changed <= {service.env_file, f"{service.env_file}.bak", self.around.redeployed.name}
        self._restore(now)

    def _restore(self, now: Mapping[Path, bytes]) -> None:
        for path in now.keys() - self._shipped.keys():
            path.unlink()
        for path, content in self._shipped.items():
            path.write_bytes(content)

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)


@pytest.fixture(scope="module")
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    here = shutil.which("prometheus") is not None
    opened = Bench(tmp_path_factory.mktemp("fuzz"), request.getfixturevalue("prometheus_url") if here else NOWHERE)
    yield opened
    opened.close()


def arguments_of(spec: ToolSpec, ordinary: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    names = list(spec.schema["properties"])
    anything = st.dictionaries(st.sampled_from(names) | st.text(max_size=10), PLAUSIBLE | JSON, max_size=4)
    return anything | anything.map(lambda drawn: {**ordinary, **drawn})


def test_every_tool_is_tried(bench: Bench) -> None:
    assert set(bench.tools) == set(SPECS)


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="no prometheus on PATH: `make` installs it where it can")
@pytest.mark.parametrize("name", list(SPECS))
def test_with_nothing_wrong_every_tool_succeeds_here(bench: Bench, name: str) -> None:
    answer = bench.call(name, bench.around.ordinary(SPECS[name]))
    assert not answer.is_error, answer.text


@pytest.mark.parametrize("name", list(SPECS))
def test_each_wrong_shape_of_each_parameter_gives_a_bounded_result_or_a_clear_error(bench: Bench, name: str) -> None:
    spec = SPECS[name]
    ordinary = bench.around.ordinary(spec)
    for parameter in spec.schema["properties"]:
        for shape in SHAPES:
            bench.call(name, {**ordinary, parameter: shape})
        for shape in CONTAINERS:
            answer = bench.call(name, {**ordinary, parameter: shape})
            assert answer.is_error
            assert answer.text.startswith(f"{name} was not run: {parameter}: ")


@pytest.mark.parametrize("name", list(SPECS))
def test_what_is_missing_and_what_is_too_much_is_named(bench: Bench, name: str) -> None:
    ordinary = bench.around.ordinary(SPECS[name])
    for required in SPECS[name].schema.get("required", ()):
        without = {key: value for key, value in ordinary.items() if key != required}
        for arguments in (without, {**without, required: None}):
            assert f"{required} is required" in bench.call(name, arguments).text
    assert "there is no argument 'path'" in bench.call(name, {**ordinary, "path": "/etc/passwd"}).text


@pytest.mark.parametrize("name", list(SPECS))
@settings(max_examples=40)
@given(data=st.data())
def test_any_arguments_give_a_bounded_result_or_a_clear_error(bench: Bench, name: str, data: st.DataObject) -> None:
    bench.call(name, data.draw(arguments_of(SPECS[name], bench.around.ordinary(SPECS[name]))))
