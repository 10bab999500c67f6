"""Splitting a long answer into messages."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from sre_bot.slack.pages import MAX_BLOCKS, MAX_ROWS, paginate, split, weigh

parse = MarkdownIt("commonmark").enable("table").parse

WORDS = ["pool", "exhausted", "&", "requests", "wait", "<3s>", "for", "a", "connection", "接続", "🚨"]
sentence = st.lists(st.sampled_from(WORDS), min_size=1, max_size=30).map(" ".join)


def fence(lines: list[str]) -> str:
    return "\n".join(["```python", *lines, "```"])


def table(rows: list[str]) -> str:
    return "\n".join(["| name | value |", "|---|---|", *(f"| {row} | 1 |" for row in rows)])


block = st.one_of(
    sentence,
    sentence.map("## {}".format),
    st.lists(sentence, min_size=1, max_size=12).map(lambda items: "\n".join(f"- {item}" for item in items)),
    st.lists(sentence | st.just(""), max_size=12).map(fence),
    st.lists(sentence, min_size=1, max_size=12).map(table),
)
answer = st.lists(block, max_size=12).map("\n\n".join)

# Any order of what the splitter reads, half-finished and nonsensical.
tangle = st.lists(
    st.sampled_from(
        ["\n", "\n\n", "`", "``", "```", "````", "~~~", "|", "|-|", "\n|a|\n|-|\n", "-", "---", "- ", "#", "# "]
    )
    | st.sampled_from(
        [" ", "    ", " " * 70, ">", "&" * 30, "a" * 50, "word ", "\t", "\r\n", "接", "\u3000", "1. ", "*"]
    )
    | st.text(max_size=5),
    max_size=80,
).map("".join)
document = answer | tangle
budgets = st.integers(min_value=200, max_value=600)


@settings(max_examples=80)
@given(document, budgets)
def test_the_pages_together_say_all_of_the_text_and_nothing_else(markdown, budget):
    pages = split(markdown, budget)
    assert "".join(page.body for page in pages) == markdown
    assert paginate(markdown, budget) == [page.text for page in pages if page.body.strip()]
    for page in pages:
        assert page.opening == "" or re.fullmatch(r"(?:```|~~~)[^\n]*\n|[^\n]*\|[^\n]*\n[^\n]*-[^\n]*\n", page.opening)
        assert re.fullmatch(r"\n?(?:`{3,}|~{3,})|", page.closing)


@settings(max_examples=80)
@given(document, budgets)
def test_no_page_exceeds_its_budget(markdown, budget):
    assert all(weigh(page) <= budget for page in paginate(markdown, budget))


@settings(max_examples=120)
@given(document, st.integers(min_value=0), budgets)
def test_pages_that_are_followed_by_another_never_change_as_the_text_grows(markdown, length, budget):
    beginning = markdown[: length % (len(markdown) + 1)]
    finished = paginate(beginning, budget)[:-1]
    assert paginate(markdown, budget)[: len(finished)] == finished


@settings(max_examples=10)
@given(document)
def test_every_stage_of_a_growing_text_keeps_what_was_finished(markdown):
    finished: list[str] = []
    for end in range(len(markdown) + 1):
        pages = paginate(markdown[:end], 200)
        assert pages[: len(finished)] == finished
        finished = pages[:-1]


@settings(max_examples=50)
@given(st.lists(sentence | st.just(""), min_size=1, max_size=80), sentence, budgets)
def test_code_stays_code_on_every_page(lines, after, budget):
    pages = paginate(f"Before.\n\n{fence(lines)}\n\n{after}", budget)
    code = [token for page in pages for token in parse(page) if token.type == "fence"]
    assert all(page.count("```") % 2 == 0 for page in pages)
    assert {token.info for token in code} == {"python"}
    assert "".join(token.content for token in code).split() == "\n".join(lines).split()


@settings(max_examples=50)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=150), budgets)
def test_a_table_keeps_its_header_on_every_page_and_loses_no_row(rows, budget):
    pages = paginate(f"Before.\n\n{table(rows)}\n\nAfter.", budget)
    cells = []
    for page in pages:
        inline = [token.content for token in parse(page) if token.type == "inline"]
        assert "|" not in "".join(inline)
        cells += inline
    assert [cell for cell in cells if cell in WORDS] == rows


def test_a_short_text_is_one_page_as_it_is():
    assert paginate("# Title\n\n```\nunfinished") == ["# Title\n\n```\nunfinished"]


@pytest.mark.parametrize("text", ["", "\n", "  \n \n"])
def test_a_text_without_words_has_no_pages(text):
    assert paginate(text) == []


def test_a_page_ends_with_a_paragraph_where_one_ends_late_enough():
    first, second = "word " * 30 + "end.\n\n", "other " * 30
    assert paginate(first + second, 250) == [first, second]


def test_a_page_ends_with_a_line_where_no_paragraph_does():
    lines = [f"line {number} of the list\n" for number in range(30)]
    for page in paginate("".join(lines), 250):
        assert page.startswith("line ")
        assert page.endswith("list\n")


def test_a_page_ends_with_a_word_where_no_line_does():
    pages = paginate("word " * 100, 250)
    assert len(pages) > 1
    assert all(page.endswith("word ") for page in pages)


def test_a_word_that_fills_pages_is_cut_anywhere():
    assert "".join(paginate("x" * 1000, 250)) == "x" * 1000


def test_a_heading_goes_with_what_it_heads():
    pages = paginate("word " * 30 + "\n\n## Heading\n\n" + "other " * 30, 250)
    assert pages[0].endswith("word \n\n")
    assert pages[1].startswith("## Heading\n\nother")


def test_the_header_of_a_table_is_not_parted_from_its_rows():
    for length in range(100, 180):
        pages = paginate("x" * length + "\n\n" + table(["row"] * 5), 200)
        assert [page for page in pages if "| name" in page and "| row" not in page] == []


def test_a_nested_item_does_not_begin_a_page_where_it_would_turn_into_code():
    item = "- an item that has something to say\n    - and a detail that is nested under it\n"
    assert all(page.startswith("- an item") for page in paginate(item * 20, 300))


def test_the_end_of_a_code_block_is_not_left_for_the_next_page():
    for length in range(150, 200):
        pages = paginate("```\n" + "x" * length + "\n```\n\nafter the code\n", 200)
        assert all(token.content.strip() for page in pages for token in parse(page) if token.type == "fence")


def test_entities_weigh_what_slack_counts():
    assert weigh("a&<>é接🚨") == 1 + 5 + 4 + 4 + 2 + 3 + 4
    assert len(paginate("<" * 3_000)) > 1


def test_a_page_has_at_most_the_characters_that_slack_documents():
    assert max(map(len, paginate("word " * 5_000, 40_000))) <= 12_000


@pytest.mark.parametrize(
    "unit", ["para {}\n\n", "# head {}\n", "- item {}\n\n", "> {}\n\n", "***\n\n", "```\n{}\n```\n"]
)
def test_a_page_has_no_more_blocks_than_slack_renders(unit):
    pages = paginate("".join(unit.format(number) for number in range(200)), 12_000)
    assert len(pages) > 1
    for page in pages:
        assert sum(token.level == 0 and token.nesting >= 0 for token in parse(page)) <= MAX_BLOCKS


def test_a_page_has_no_more_rows_than_a_table_may_have():
    pages = paginate(table([str(number) for number in range(250)]), 12_000)
    assert [page.count("\n| ") + page.startswith("| ") for page in map(str.strip, pages)] == [MAX_ROWS, MAX_ROWS, 53]


def test_a_budget_too_small_for_a_page_is_refused():
    with pytest.raises(ValueError, match="200"):
        paginate("text", 199)


@pytest.mark.parametrize(
    "unit", ["`", "```", "|", "|-|\n", " ", "\n", "- ", "-", "a|b\n|-|\n", "&", "# ", "~~~\n", "x" * 99 + " "]
)
def test_repetition_of_anything_is_split_in_reasonable_time(unit):
    text = unit * (50_000 // len(unit))
    assert "".join(page.body for page in split(text)) == text


def test_half_a_surrogate_pair_is_no_reason_to_fail():
    assert paginate("\ud83d " * 200, 200)
