"""The frame: what is derived from a decorated method, and what surrounds its call."""

import asyncio
import logging
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from sre_bot.errors import BadRequest
from sre_bot.tools.offer import describe_tools
from sre_bot.tools.spec import HARD_LIMIT, SOFT_LIMIT, Access, Answer, Tool, specs_of, tool


class Kitchen:
    """A group with one tool of each kind."""

    @tool(Access.READ, title="Taste", progress="Tasting {dish|everything} with {spoons} spoons")
    async def taste(
        self,
        dish: Annotated[str | None, Field(description="Which")] = None,
        spoons: Annotated[int, Field(ge=1, le=3)] = 1,
        mood: Literal["good", "bad"] = "good",
    ) -> str:
        """Taste
        a dish."""
        return f"{dish} {spoons} {mood}"

    @tool(Access.NOTIFY, title="Ring", progress="Ringing")
    async def ring(self) -> str:
        """Ring the bell."""
        raise BadRequest("no bell")

    @tool(Access.CHANGE, title="Burn", progress="Burning", timeout=0.01, check="smell")
    async def burn(self, how: str) -> str:
        """Burn it."""
        if how == "slowly":
            await asyncio.Event().wait()
        if how == "badly":
            raise KeyError("s3cret")
        return how

    @tool(Access.READ, title="Recite", progress="Reciting", limit=10**9)
    async def recite(self, lines: int) -> str:
        """Recite."""
        return "\n".join(f"line {number:06}" for number in range(lines))

    def helper(self) -> None:
        """Not a tool."""


TASTE, RING, BURN, RECITE = specs_of(Kitchen)


async def call(name: str, **arguments: Any) -> Answer:
    spec = next(spec for spec in specs_of(Kitchen) if spec.name == name)
    return await Tool(spec, Kitchen()).call(arguments)


def test_the_schema_is_flat_without_titles_and_null_branches() -> None:
    assert TASTE.schema == {
        "type": "object",
        "properties": {
            "dish": {"type": "string", "description": "Which"},
            "spoons": {"type": "integer", "minimum": 1, "maximum": 3, "default": 1},
            "mood": {"type": "string", "enum": ["good", "bad"], "default": "good"},
        },
        "additionalProperties": False,
    }
    assert BURN.schema["required"] == ["how"]
    assert RING.schema == {"type": "object", "properties": {}, "additionalProperties": False}


def test_the_description_is_the_docstring_on_one_line() -> None:
    assert TASTE.description == "Taste a dish."


def test_annotations_follow_from_what_a_call_may_do() -> None:
    assert TASTE.annotations == {"readOnlyHint": True}
    assert RING.annotations == {"destructiveHint": False, "idempotentHint": True}
    assert BURN.annotations == {}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"dish": "soup", "spoons": 2}, "Tasting `soup` with `2` spoons"),
        ({}, "Tasting everything with  spoons"),
        ({"dish": None, "spoons": "a\n`b`"}, "Tasting everything with `a b` spoons"),
        ({"dish": "x" * 500, "spoons": 1}, f"Tasting `{'x' * 119}…` with `1` spoons"),
    ],
)
def test_a_call_is_described_on_one_short_line_whatever_its_arguments(arguments: dict[str, Any], line: str) -> None:
    assert TASTE.describe_call(arguments) == line


async def test_null_means_the_default_and_numbers_may_be_text() -> None:
    assert await call("taste", dish=None, spoons="2", mood=None) == Answer("None 2 good")
    assert await call("taste", dish=1700000000) == Answer("1700000000 1 good")


async def test_wrong_arguments_are_all_named_with_those_that_exist_and_nothing_runs() -> None:
    answer = await call("taste", dosh="soup", spoons=4, mood="odd")
    assert answer.is_error
    assert answer.text.startswith("taste was not run: ")
    for part in (
        "there is no argument 'dosh'",
        "spoons: Input should be less",
        "mood: Input should be 'good' or 'bad'",
    ):
        assert part in answer.text
    assert answer.text.endswith("Arguments: dish, spoons, mood.")
    assert "pydantic" not in answer.text


async def test_text_that_no_system_can_be_sent_is_refused_and_not_replaced() -> None:
    answer = await call("taste", dish="soup\ud83d")
    assert answer == Answer("taste was not run: dish: holds half of a character (a lone surrogate).", is_error=True)


async def test_a_missing_argument_is_named() -> None:
    assert (await call("burn")).text == "burn was not run: how is required. Arguments: how (required)."


async def test_our_own_errors_are_told_as_they_are() -> None:
    assert await call("ring") == Answer("no bell", is_error=True)


async def test_a_call_beyond_its_deadline_is_stopped_and_says_so() -> None:
    answer = await call("burn", how="slowly")
    assert answer.is_error
    assert answer.text == (
        "burn timed out after 0.01 s and was stopped. Its outcome is UNKNOWN: it may have taken effect, wholly or in "
        "part. Before you repeat it, look with smell."
    )


async def test_a_read_beyond_its_deadline_says_how_to_ask_for_less() -> None:
    class Slow:
        @tool(Access.READ, title="Wait", progress="Waiting", timeout=0.01)
        async def wait(self) -> str:
            """Wait."""
            await asyncio.Event().wait()
            return ""

    (spec,) = specs_of(Slow)
    answer = await Tool(spec, Slow()).call({})
    assert answer.is_error
    assert answer.text.endswith("was stopped. Ask for less: a shorter range, a narrower query or one service.")


def test_every_tool_that_writes_names_tools_that_tell_what_it_did() -> None:
    specs = describe_tools()
    readers = {spec.name for spec in specs if spec.access is Access.READ}
    for spec in specs:
        looks = set(spec.check.split(" and ")) - {""}
        assert bool(looks) == (spec.access is not Access.READ), spec.name
        assert looks <= readers, spec.name


async def test_a_defect_gives_its_type_and_a_reference_and_only_the_log_has_the_rest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = await call("burn", how="badly")
    assert answer.is_error
    assert "KeyError" in answer.text
    assert "s3cret" not in answer.text
    reference = answer.text.partition("reference ")[2][:8]
    assert reference in caplog.text
    assert "s3cret" in caplog.text


async def test_a_cancelled_call_is_cancelled_and_not_answered() -> None:
    class Endless:
        @tool(Access.READ, title="Wait", progress="Waiting")
        async def wait(self) -> str:
            """Wait."""
            started.set()
            await asyncio.Event().wait()
            return ""

    started = asyncio.Event()
    (spec,) = specs_of(Endless)
    task = asyncio.create_task(Tool(spec, Endless()).call({}))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_no_result_exceeds_the_hard_limit_and_a_cut_one_says_so_at_a_lines_end() -> None:
    answer = await call("recite", lines=100_000)
    assert len(answer.text) <= HARD_LIMIT
    *lines, notice = answer.text.splitlines()
    assert notice == "[cut: 40,000 of 1,199,999 characters; ask for less to see the rest]"
    assert lines[-1] == f"line {len(lines) - 1:06}"


async def test_without_a_limit_of_its_own_a_result_keeps_to_the_soft_one() -> None:
    answer = await call("taste", dish="x\n" * SOFT_LIMIT)
    assert len(answer.text) <= SOFT_LIMIT
    assert "[cut: " in answer.text


async def test_text_that_is_not_unicode_is_made_so() -> None:
    (await call("burn", how="badly")).text.encode()
    answer = await call("taste", **{"\ud800": 1})
    assert answer.is_error
    answer.text.encode()
