"""Markdown to mrkdwn, to a plain line, and to Markdown that is safe to send."""

import html
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from sre_bot.slack.mrkdwn import defuse, plain, to_mrkdwn

GUARD, GAP, TICK = "\u2060", "\u200b", "\u02cb"

# Texts made of what the converters have to tell apart, and of what pretends to be something else.
FRAGMENTS = r"""
@ ! # < > & | * ** *** _ __ ~ ~~ ` ``` ~~~ [ ] ( ) ]( ]: ![ \ / : - + . 1. 12:30:45 :tada: a Z 接続 é here channel
everyone @here @channel <!channel> <!here|x> <@U123> <#C1> <!subteam^S1> &lt; &#60; &#x21; &amp; &amp;lt; &commat;
https://x.io/a_b?c=1&d=(2) javascript:x data:text/html mailto:a@b.c | |--|--| <b> <!-- -->
"""
DISGUISES = ["\uff20", "\uff1c", "\uff01", "\u200b", "\u00ad", GUARD]
tangled = st.lists(
    st.sampled_from([*FRAGMENTS.split(), *DISGUISES, " ", " ", "\n", "\n\n", "\n- ", "\n    ", "\n> ", "\n# "])
    | st.text(max_size=3)
    | st.characters(),
    max_size=60,
).map("".join)


# --- to_mrkdwn -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("markdown", "mrkdwn"),
    [
        ("```python\nx = 1\n```", "```\nx = 1\n```"),
        ("**text**", "*text*"),
        ("*text*", "_text_"),
    ],
)
def test_the_three_conversions_that_were_commissioned(markdown, mrkdwn):
    assert to_mrkdwn(markdown) == mrkdwn


@pytest.mark.parametrize(
    ("markdown", "mrkdwn"),
    [
        ("***x***", "_*x*_"),
        ("~~gone~~", "~gone~"),
        ("# A **bold** `x` *it*", "*A bold `x` _it_*"),
        ("**one\ntwo**", "*one*\n*two*"),
        ("foo**bar**baz", f"foo{GAP}*bar*{GAP}baz"),
        ("接**続**プ", f"接{GAP}*続*{GAP}プ"),
        ("(**a**, *b*)", "(*a*, _b_)"),
        ("**a `b`**", "*a `b`*"),
    ],
)
def test_formatting_survives_wherever_mrkdwn_can_show_it(markdown, mrkdwn):
    assert to_mrkdwn(markdown) == mrkdwn


@pytest.mark.parametrize(
    ("markdown", "mrkdwn"),
    [
        ("~5 to ~10", f"~{GAP}5 to ~{GAP}10"),
        (r"\*x\*", f"*{GAP}x{GAP}*"),
        (r"\_x\_ and \`y\`", f"_{GAP}x{GAP}_ and {TICK}y{TICK}"),
        (r"\**b*", f"*{GAP}_b_"),
        ("a ` b", f"a {TICK} b"),
        ("`` a`b ``", f"`a{TICK}b`"),
        (r"\> no quote", f"{GAP}&gt; no quote"),
    ],
)
def test_what_only_looks_like_formatting_stays_literal(markdown, mrkdwn):
    assert to_mrkdwn(markdown) == mrkdwn


@pytest.mark.parametrize(
    "text", ["db_pool_size", "12:30:45", ":white_check_mark: :+1:", "2 * 3 * 4", "https://x.io/a_b_/c_?d=_e", "a - b"]
)
def test_identifiers_times_emoji_and_addresses_are_left_alone(text):
    assert to_mrkdwn(text) == text


@pytest.mark.parametrize(
    ("markdown", "mrkdwn"),
    [
        ("[docs](https://x.io/a?b=1&c=2)", "<https://x.io/a?b=1&amp;c=2|docs>"),
        ("[wiki](https://x.io/Foo_(bar))", "<https://x.io/Foo_(bar)|wiki>"),
        ("[a|b > c](https://x.io)", "<https://x.io|a¦b &gt; c>"),
        ("[x](<https://x.io/a|b c>)", "<https://x.io/a%7Cb%20c|x>"),
        ("<https://x.io/>", "<https://x.io/>"),
        ("<ops@x.io>", "<mailto:ops@x.io|ops@x.io>"),
        ("![graph](https://x.io/p.png)", "<https://x.io/p.png|graph>"),
        ("[click](!channel)", "click (!channel)"),
        ("[click](javascript:alert)", "click (javascript:alert)"),
        ("[runbook](docs/x.md)", "runbook (docs/x.md)"),
        ("[x](https://x.io/@here)", "<https://x.io/%40here|x>"),
    ],
)
def test_links_are_made_to_the_web_and_to_mail_only(markdown, mrkdwn):
    assert to_mrkdwn(markdown) == mrkdwn


def test_lists_nest_number_and_tick():
    markdown = "- a\n  - b\n    1. c\n    2. d\n- e\n\n  more\n- [x] done\n- [ ] open\n\nafter\n\n7. seven"
    assert to_mrkdwn(markdown).split("\n") == [
        "• a",
        "    ◦ b",
        "        1. c",
        "        2. d",
        "• e",
        "  more",
        "• ☑ done",
        "• ☐ open",
        "",
        "after",
        "",
        "7. seven",
    ]


def test_nested_quotes_become_one_and_code_in_them_stands_alone():
    markdown = "> one\n> > two **b\n> c**\n>\n> ```sh\n> ls\n> ```\n\nend"
    assert to_mrkdwn(markdown) == "> one\n>\n> two *b*\n> *c*\n>\n```\nls\n```\n\nend"


def test_tables_become_aligned_code_even_with_wide_characters():
    markdown = "| service | p99 |\n|---|---|\n| 接続 | 4 |\n| **api** & co | 12 ms |"
    assert to_mrkdwn(markdown).split("\n") == [
        "```",
        "service   p99",
        "--------  -----",
        "接続      4",
        "api &amp; co  12 ms",
        "```",
    ]


def test_code_is_escaped_but_otherwise_untouched():
    assert to_mrkdwn("```sql\nSELECT *_x_ & <b> ~y~\n```") == "```\nSELECT *_x_ &amp; &lt;b&gt; ~y~\n```"
    assert to_mrkdwn("`<!here> **x**`") == "`&lt;!here&gt; **x**`"


def test_code_cannot_end_its_own_block():
    assert to_mrkdwn("````\n```\n<!channel>\n````").count("```") == 2


def test_an_unfinished_code_block_is_shown_as_far_as_it_has_come():
    assert to_mrkdwn("so:\n\n```py\nx = 1\ny") == "so:\n\n```\nx = 1\ny\n```"


def test_marks_that_vanish_do_not_join_a_broadcast():
    assert to_mrkdwn("# @**here**") == f"*@{GUARD}here*"


def controls_of_mrkdwn(text: str) -> list[str]:
    """What Slack would obey in mrkdwn, apart from links to the web and to mail."""
    text = re.sub(r"<(?:https?:|mailto:)[^\s<>|]*(?:\|[^<>|\n]*)?>", "", text, flags=re.IGNORECASE)
    text = re.sub(r"(?m)^>", "", text)
    return re.findall(r"[<>]|(?i:(?<![a-z0-9])@(?:channel|here|everyone)(?![a-z0-9]))", text)


@settings(max_examples=200)
@given(tangled)
def test_no_text_gets_a_control_sequence_into_mrkdwn(markdown):
    mrkdwn = to_mrkdwn(markdown)
    assert controls_of_mrkdwn(mrkdwn) == []
    assert not re.search(r"&(?!amp;|lt;|gt;)", mrkdwn)
    assert mrkdwn.count("```") % 2 == 0
    assert len(mrkdwn) <= 120 * len(markdown) + 100


# --- defuse ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "<!channel> <!here> <!everyone|x> <!subteam^S123>",
        "<@U123ABC> and <#C123ABC|general>",
        "@channel, @Here! (@EVERYONE)",
        "`<!channel>` and\n```\n@here\n```",
        "[click](!channel) [x](@U123) [y](<!here>) [z](#C123)",
        "[x](https://x.io/<!channel>)",
        "&lt;!channel&gt; &#60;!here> &#x3C;@U1> &amp;lt;!here> &lt!here",
        "<&#33;channel> &commat;here &#64;channel",
        r"<\!channel> \<!here> \@channel",
        r"&lt;@\0 <!\here @\here @he\re <\!chan\nel>",
        "< !channel> <! channel> <!\nchannel> <!ChAnNeL>",
        "<\u200b!channel> @\u200bhere <!\u00adchannel>",
        "\uff1c!channel> \uff20here <\uff01here>",
        "# @**here** and <!*channel*>",
    ],
)
def test_whoever_is_named_is_not_called(text):
    assert controls_of_markdown(text)
    assert controls_of_markdown(defuse(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "[a](javascript:alert(1))",
        "[a](JAVA&#115;cript:x)",
        "[a](<data:text/html,x>)",
        "[a](vbscript:x 'title')",
        "[a]( slack://open)",
        "[a]: javascript:x\n\n[a]",
        "<javascript:alert(1)>",
        "[a\nb](javascript:x)",
    ],
)
def test_links_to_anything_but_the_web_and_mail_become_text(text):
    shown = to_links(defuse(text))
    assert to_links(text)
    assert shown == []


@pytest.mark.parametrize(
    "text",
    [
        "![a](https://x.io/p.png)",
        "![a [b] `]` c](https://x.io/p.png)",
        "[![a](https://x.io/p.png)](https://x.io)",
        "![a\nb](https://x.io/p.png)",
        "![a][1]\n\n[1]: https://x.io/p.png",
        "![a]\n\n> [a]:\n> https://x.io/p.png",
        "![a]\n\n[a]: //x.io/p.png",
    ],
)
def test_images_are_not_fetched(text):
    assert "image" in kinds(text)
    assert "image" not in kinds(defuse(text))


def test_an_image_remains_as_a_link():
    assert to_links(defuse("![graph](https://x.io/p.png)")) == ["https://x.io/p.png"]


@pytest.mark.parametrize(
    "text",
    [
        "[docs](https://x.io/a_(b)) <https://x.io> [mail](mailto:a@b.c) [near](docs/x.md)",
        "ops@here.com and a@channel.io",
        "a < b && c > d; <div class='x'> <!-- note --> x<y>z",
        "re.compile(r'(?![a-z])'); vec![0]\n\nhandlers[i](event); #!/bin/sh",
        "rate(http_requests_total[5m]) [ERROR]: connection refused",
        "&amp; &lt;b&gt; \\* émoji 🚨 :tada: 12:30:45",
        "| a | b |\n|---|---|\n| 1 | 2 |",
    ],
)
def test_what_harms_nobody_is_left_byte_for_byte(text):
    assert defuse(text) == text


@settings(max_examples=200)
@given(tangled)
def test_defusing_only_inserts_guards_and_is_done_after_once(markdown):
    safe = defuse(markdown)
    assert safe.replace(GUARD, "") == markdown.replace(GUARD, "")
    assert len(safe) <= 2 * len(markdown)
    assert defuse(safe) == safe


@settings(max_examples=200)
@given(tangled)
def test_no_text_gets_a_control_sequence_an_image_or_an_unsafe_link_past_defusing(markdown):
    safe = defuse(markdown)
    assert controls_of_markdown(safe) == []
    assert "image" not in kinds(safe)
    assert [href for href in to_links(safe) if re.match(r"(?i)[!@#]|javascript:|data:", href)] == []


def controls_of_markdown(text: str) -> list[str]:
    """What the most lenient reader would obey: one that decodes, unescapes and drops before it looks."""
    for _ in range(3):
        text = html.unescape(text)
    text = unicodedata.normalize("NFKC", text).replace("\\", "")
    text = "".join(c for c in text if c == GUARD or unicodedata.category(c) != "Cf")
    return re.findall(
        r"<\s*[!@#]\s*[a-zA-Z0-9]|\]\(\s*<?[!@#]|(?i:(?<![a-z0-9])@[*_]*(?:channel|here|everyone)(?![a-z0-9]))", text
    )


def to_links(markdown: str) -> list[str]:
    return [str(child.attrs["href"]) for child in children(markdown) if child.type == "link_open"]


def kinds(markdown: str) -> set[str]:
    return {child.type for child in children(markdown)}


class Gullible(MarkdownIt):
    """A reader that takes any address for a link."""

    def validateLink(self, url: str) -> bool:  # noqa: N802
        return True

    def normalizeLink(self, url: str) -> str:  # noqa: N802
        return url


def children(markdown: str) -> list[Token]:
    return [child for token in Gullible("commonmark").parse(markdown) for child in token.children or ()]


# --- plain -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("markdown", "limit", "line"),
    [
        ("# Root **cause**\n\n- `DB_POOL_SIZE` is [1](https://x.io)\n", 80, "Root cause DB_POOL_SIZE is 1"),
        ("one two three", 9, "one two…"),
        ("one two three", 8, "one two…"),
        ("one two three", 7, "one…"),
        ("one two three", 13, "one two three"),
        ("abcdefghij", 5, "abcd…"),
        ("<<<<<<", 10, "&lt;&lt;…"),
        ("a < b", 80, "a &lt; b"),
        ("<!channel> @here", 80, f"&lt;!channel&gt; @{GUARD}here"),
        ("", 10, ""),
    ],
)
def test_a_notification_is_one_plain_line_cut_at_a_word(markdown, limit, line):
    assert plain(markdown, limit) == line


@settings(max_examples=120)
@given(tangled, st.integers(min_value=0, max_value=60))
def test_a_notification_keeps_its_limit_and_calls_nobody(markdown, limit):
    line = plain(markdown, limit)
    assert len(line) <= limit
    assert "\n" not in line
    assert controls_of_mrkdwn(line) == []
    assert not re.search(r"&(?!amp;|lt;|gt;)", line)


# --- any input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "unit",
    [
        "[",
        "![",
        "[a](",
        "![a](b",
        "*",
        "*a **a ",
        "_ ",
        "`a",
        "> ",
        "- ",
        "|a",
        "&",
        "&amp;",
        "<",
        "< ",
        "\\",
        "](",
        "~~a",
        "@",
        "]: ",
        "<!",
        "[a]: b\n\n",
        "a\n\n",
        "```\n",
        "|-|\n",
    ],
)
def test_repetition_of_anything_is_converted_in_reasonable_time(unit):
    text = unit * (20_000 // len(unit))
    assert len(to_mrkdwn(text)) <= 60 * len(text)
    assert len(defuse(text)) <= 2 * len(text)
    assert len(plain(text, 100)) <= 100


@pytest.mark.parametrize("start", ["](", "<", "<!", "]:", "![a](", "&", "@*", "- ", "|"])
def test_long_stretches_of_nothing_are_converted_in_reasonable_time(start):
    for filling in (" ", "\n", "*", "> ", "amp;"):
        text = start + filling * 20_000
        assert defuse(text).replace(GUARD, "") == text
        assert len(to_mrkdwn(text[:10_000])) <= 60_000


def test_half_a_surrogate_pair_is_no_reason_to_fail():
    assert to_mrkdwn("[\ud83d](https://x.io/\ud83d) \ud83d")
    assert defuse("\ud83d <!here>")
    assert plain("\ud83d " * 50, 20)
