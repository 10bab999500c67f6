"""What a growing text may show, and where it is cut: held against every text that it can grow into."""

import random

import pytest

from sre_bot.agent.events import TextDelta, ToolFinished, ToolStarted
from sre_bot.slack.defusal import defuse, defuse_growing
from sre_bot.slack.pages import Place, cut_at, next_page
from sre_bot.slack.reply import ReplyText
from sre_bot.slack.segments import WORKING_TITLE, Circumstances, Segment, inline, next_step

PIECES = (
    "<!channel>", "<", "!", " ", "@here", "@", "[a](http://x)", "![b](http://y)", "![", "](", "]", "\n", "\n\n",
    "word ", "&lt;", "&", "\\", "text, more ", "<@U1>", "[x]: http://z", "](javascript:a)", "-", "`", "```\n", "ok ",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_what_a_growing_text_shows_is_the_beginning_of_what_it_will_show(seed: int):
    for number in range(40):
        chance = random.Random(seed * 1_000 + number)
        text = "".join(chance.choice(PIECES) for _ in range(chance.randint(1, 25)))
        whole = defuse(text)
        for end in range(len(text) + 1):
            assert whole.startswith(defuse_growing(text[:end])), repr(text[:end])


def test_plain_words_are_not_held_back():
    assert defuse_growing("The pool is full: 5 of 5") == "The pool is full: 5 of 5"


@pytest.mark.parametrize("least", [0, 500, 1_999])
def test_a_page_does_not_end_before_what_a_reader_has_already(least: int):
    text = "word " * 100 + "\n\n" + "word " * 400
    page, following = next_page(text, Place(), 2_000, least=least)
    assert following.at >= least
    assert page.body == text[: following.at]


def test_a_page_that_has_to_end_in_code_is_closed_and_the_next_one_opens_it_again():
    text = "```sql\nselect 1;\nselect 2;\n```\n"
    page, following = cut_at(text, Place(), text.index("select 2"))
    assert page.text == "```sql\nselect 1;\n```"
    rest, _ = next_page(text, following)
    assert rest.text == "```sql\nselect 2;\n```\n"


def test_a_message_that_cannot_be_a_stream_has_its_calls_as_lines_in_their_places():
    reply = ReplyText()
    for event in (
        TextDelta("First."),
        ToolStarted("a", "get_logs", "Reading the logs"),
        ToolFinished("a", True, 0.4),
        ToolStarted("b", "get_alerts", "Reading the alerts"),
        TextDelta("Then."),
    ):
        reply.add(event)
    (flow,) = reply.flows()
    segment = Segment(0, 0, Place(), 0.0, 0)
    around = Circumstances(9_000, WORKING_TITLE, 0.0, over=False)
    next_step(segment, flow, set(), around).apply(segment)
    lines = ["First.", "- ✅ Reading the logs · 0.4 s\n- 🔄 Reading the alerts", "Then."]
    assert inline(segment, flow, None) == "\n\n".join(lines)
    assert next_step(segment, flow, set(), around).chunks(segment) == []


def test_a_message_whose_time_is_over_ends_where_it_is_and_the_next_goes_on_there():
    reply = ReplyText()
    reply.add(TextDelta("Said. "))
    segment = Segment(0, 0, Place(), 0.0, 0)
    fresh = Circumstances(9_000, WORKING_TITLE, 0.0, over=False)
    next_step(segment, reply.flows()[0], set(), fresh).apply(segment)
    reply.add(TextDelta("Unsaid."))
    old = Circumstances(9_000, WORKING_TITLE, 1.0, over=False)
    step = next_step(segment, reply.flows()[0], set(), old)
    assert step.ends is not None
    assert step.text == ""
    after = Segment(1, 0, step.ends, 0.0, step.ends.at)
    assert segment.said + next_step(after, reply.flows()[0], set(), fresh).text == "Said. Unsaid."
