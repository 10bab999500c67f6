"""Any arguments to any tool: a result or a clear error, bounded, never a defect."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre_bot.clients.confluence import Hit, Hits, Page
from sre_bot.tools.confluence import Postmortems
from sre_bot.tools.spec import HARD_LIMIT, Access, Tool, specs_of
from tests.confluence.conftest import TEXT


class FakePages:
    """Has one page, which is endless, and takes every other."""

    space = "SRE"

    async def page(self, page_id: str) -> Page:
        return Page(page_id, "t", "http://x", 1, time.time(), "<p>x</p>" * 10_000)

    async def find_page(self, title: str) -> Page | None:
        return await self.page("1") if title == "t" else None

    async def create_page(self, title: str, storage: str) -> Page | None:
        return Page("2", title, "http://x", 1, time.time(), storage)

    async def add_labels(self, page_id: str, labels: Sequence[str]) -> None:
        pass

    async def search(self, words: str, label: str, since: float | None, limit: int) -> Hits:
        return Hits([Hit("1", "t" * 9999, "http://x", time.time(), "e" * 9999)] * limit, 10**6)

    async def close_titles(self, title: str) -> list[str]:
        return ["t" * 9999] * 3


TOOLS = {spec.name: Tool(spec, Postmortems(FakePages())) for spec in specs_of(Postmortems)}
PLAUSIBLE = st.sampled_from(
    ["1", "t", "-7d", "9" * 400, "<p>&", "a,b", "", " ", "\n", "\x00", "\ud800", *TEXT.values()]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | PLAUSIBLE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


def arguments_of(tool: Tool) -> st.SearchStrategy[dict[str, Any]]:
    schema = tool.spec.schema
    required = dict.fromkeys(schema.get("required", ()), PLAUSIBLE)
    optional = {key: PLAUSIBLE | JSON for key in schema["properties"] if key not in required}
    return st.one_of(
        st.fixed_dictionaries(required, optional=optional),
        st.fixed_dictionaries({}, optional=dict.fromkeys(schema["properties"], JSON)),
        st.dictionaries(st.sampled_from(list(schema["properties"])) | st.text(max_size=10), JSON, max_size=4),
    )


@pytest.mark.parametrize("name", list(TOOLS))
@settings(max_examples=50)
@given(data=st.data())
def test_any_arguments_give_a_bounded_result_or_a_clear_error(name: str, data: st.DataObject) -> None:
    arguments = data.draw(arguments_of(TOOLS[name]))
    answer = asyncio.run(TOOLS[name].call(arguments))
    assert answer.text.strip()
    assert len(answer.text) <= HARD_LIMIT
    answer.text.encode()
    assert "defect of the tool" not in answer.text, f"{name} {arguments!r}: {answer.text}"
    assert "\n" not in TOOLS[name].spec.describe_call(arguments)


def test_reading_is_free_and_publishing_is_not() -> None:
    assert {name: tool.spec.access for name, tool in TOOLS.items()} == {
        "confluence_create_postmortem": Access.NOTIFY,
        "confluence_get_page": Access.READ,
        "confluence_list_postmortems": Access.READ,
    }
