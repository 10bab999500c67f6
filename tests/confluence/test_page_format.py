"""Any text becomes a well-formed page that shows its words and acts on nobody; any page becomes readable text."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.confluence import storage
from sre_bot.tools.page_markup import clean, render_markdown, serialize
from sre_bot.tools.page_text import read_storage
from sre_bot.tools.postmortem import SECTIONS, draft

HOSTILE = st.sampled_from(
    [
        *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "]]>", "<![CDATA[", "<!--", "-->", "&", "&amp;"),
        *("&nbsp;", "&#x3c;", "&lt;script&gt;", "</p>", "<br>", "<?xml?>", "<!DOCTYPE x [<!ENTITY a 'b'>]>", "&a;"),
        '<ac:structured-macro ac:name="html"><ac:plain-text-body>x</ac:plain-text-body></ac:structured-macro>',
        '<ac:link><ri:user ri:account-id="1" /></ac:link>',
        *("[x](javascript:alert(1))", "[x](https://e.org/a?b=c&d=e)", '[x](https://e.org "t")', "![x](http://e.org/i)"),
        *(
            "[x]: http://e.org",
            "[x]",
            "<https://e.org>",
            "<javascript:x>",
            "[x](<https://e.org/a b>)",
            "{macro}",
            "@ada",
        ),
        *(
            "# one",
            "- a",
            "  - b",
            "1. c",
            "7. d",
            "9) e",
            "- [ ] f",
            "- [x] g",
            "> q",
            "```sql\nselect",
            "```",
            "    code",
        ),
        *(
            "| a | b |\n|---|---|\n| c | d | e |",
            "---",
            "***",
            "**b**",
            "_i_",
            "~~s~~",
            "`c`",
            "\\*",
            "\\\n",
            "  \n",
            "\n\n",
        ),
        *("\x00", "\x0b", "\x1f", "\r", "\u2028", "\ufffe", "\ud800", "\u202e", "\U0001f600", "é", "“", "日本"),
    ]
)
ANY_TEXT = st.lists(HOSTILE | st.text(max_size=12) | st.sampled_from([" ", "\n", "\n\n"]), max_size=14).map("".join)
OWN = {"{ac}task-list", "{ac}task", "{ac}task-id", "{ac}task-status", "{ac}task-body"}


def words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", clean(text)))


@settings(max_examples=120)
@given(st.fixed_dictionaries(dict.fromkeys(SECTIONS, ANY_TEXT)), ANY_TEXT.map(lambda text: f"t{text}"), ANY_TEXT)
def test_any_text_is_well_formed_shows_its_words_and_acts_on_nobody(
    sections: dict[str, str], title: str, labels: str
) -> None:
    postmortem = draft(title, sections, labels.replace(",", ""))
    body = postmortem.to_storage()
    storage.check(body)  # well-formed, nothing but known elements, no script, no unsafe address
    tree = storage.parse(body)
    assert {element.tag for element in tree.iter() if element.tag.startswith("{")} <= OWN
    assert {name for element in tree.iter() for name in element.attrib} <= {"href", "start"}
    assert [element.text for element in tree.iter("h2")] == list(SECTIONS.values())
    readable = read_storage(storage.rewrite(body))
    for key, text in sections.items():
        missing = [word for word in words(text) if word not in readable]
        assert not missing, f"{key}: {missing}"
    assert postmortem.reference in readable
    assert postmortem.title.isprintable()
    for label in postmortem.labels:
        assert re.fullmatch(r"[\w-]{1,100}", label)


@settings(max_examples=120)
@given(ANY_TEXT)
def test_what_is_rendered_keeps_every_word(text: str) -> None:
    rendered = render_markdown(text)
    shown = "".join(rendered.itertext()) + " ".join(v for e in rendered.iter() for v in e.attrib.values())
    numbers = {str(number) for number in range(1, 20)}
    assert [word for word in words(text) - numbers if word not in shown] == []


@settings(max_examples=120)
@given(ANY_TEXT | st.text())
def test_reading_never_fails_whatever_a_page_holds(text: str) -> None:
    assert isinstance(read_storage(text), str)


@pytest.mark.parametrize("body", ["<p>" * 5_000 + "deep" + "</p>" * 5_000, "<" * 1_000_000, "&lt;" * 200_000])
def test_a_page_built_to_exhaust_its_reader_is_read_all_the_same(body: str) -> None:
    assert isinstance(read_storage(body), str)


@pytest.mark.parametrize(
    ("markdown", "xhtml"),
    [
        ("a\nb", "<p>a<br />b</p>"),
        ("# T\n\ntext", "<h3>T</h3><p>text</p>"),
        ("- a\n- **b**", "<ul><li>a</li><li><strong>b</strong></li></ul>"),
        ("3. a\n4. b", '<ol start="3"><li>a</li><li>b</li></ol>'),
        ("1. a\n1. b", "<ol><li>a</li><li>b</li></ol>"),
        ("9. Nov deploy\n12. Nov alert", "<p>9. Nov deploy<br />12. Nov alert</p>"),
        ("[g](https://g.example/d?a=1&b=2)", '<p><a href="https://g.example/d?a=1&amp;b=2">g</a></p>'),
        ("[g](javascript:x)", "<p>g (javascript:x)</p>"),
        ("![g](https://e.org/i.png)", '<p>!<a href="https://e.org/i.png">g</a></p>'),
        ("```promql\nup < 1\n```", "<p>promql</p><pre>up &lt; 1\n</pre>"),
        ("`a ]]> b`", "<p><code>a ]]&gt; b</code></p>"),
        ("<b>x</b> &amp;", "<p>&lt;b&gt;x&lt;/b&gt; &amp;amp;</p>"),
        ("| a | b |\n|---|---|\n| c | d | lost |", "<p>| a | b |<br />|---|---|<br />| c | d | lost |</p>"),
        ("a\x00b\x0bc", "<p>a\ufffdb\ufffdc</p>"),
    ],
)
def test_markdown_becomes_storage_format(markdown: str, xhtml: str) -> None:
    assert serialize(render_markdown(markdown)) == xhtml


@pytest.mark.parametrize(
    ("given_items", "xhtml"),
    [
        ("- [ ] ada: **x**\n- [x] bob: y", ["ada: <strong>x</strong>", "bob: y"]),
        ("- a\n\n- b", ["a", "b"]),
    ],
)
def test_action_items_become_tasks_that_can_be_ticked(given_items: str, xhtml: list[str]) -> None:
    body = draft("t", dict.fromkeys(SECTIONS, "x") | {"action_items": given_items}, "").to_storage()
    assert re.findall("<ac:task-body>(.*?)</ac:task-body>", body) == xhtml
    assert re.findall("<ac:task-id>(.*?)</ac:task-id>", body) == ["1", "2"]
    assert body.count(">complete<") == given_items.count("[x]")


@pytest.mark.parametrize("items", ["1. a\n2. b", "- a\n  - b", "just words"])
def test_items_that_tasks_cannot_hold_stay_as_they_are(items: str) -> None:
    body = draft("t", dict.fromkeys(SECTIONS, "x") | {"action_items": items}, "").to_storage()
    assert "ac:task" not in body


def test_the_reference_tells_contents_apart_and_not_their_edges() -> None:
    sections = dict.fromkeys(SECTIONS, "x")
    reference = draft("t", sections, "").reference
    assert draft(" t ", sections | {"impact": " x\r\n"}, "other").reference == reference
    assert draft("t", sections | {"impact": "y"}, "").reference != reference
    assert draft("u", sections, "").reference != reference


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<h1>A</h1><p>b&nbsp;c</p>", "# A\n\nb c"),
        ("<ul><li>a<ul><li>b</li></ul></li><li><p>c</p></li></ul>", "- a\n  - b\n- c"),
        ('<ol start="3"><li>a</li><li>b</li></ol>', "3. a\n4. b"),
        ("<table><tbody><tr><th>a|b</th><td><p>c</p><p>d</p></td></tr></tbody></table>", "| a\\|b | c d |"),
        ("<pre>a\n  b</pre>", "```\na\n  b\n```"),
        ("<blockquote><p>a</p></blockquote>", "> a"),
        ('<p><a href="https://e.org">e</a></p>', "e (https://e.org)"),
        ('<p><time datetime="2026-01-31" /></p>', "2026-01-31"),
        (
            (
                '<ac:structured-macro ac:name="code"><ac:parameter ac:name="language">sql</ac:parameter>'
                "<ac:plain-text-body><![CDATA[a < b && c]]></ac:plain-text-body></ac:structured-macro>"
            ),
            "```\na < b && c\n```",
        ),
        (
            (
                '<ac:structured-macro ac:name="info"><ac:rich-text-body><p>Read me</p></ac:rich-text-body>'
                "</ac:structured-macro>"
            ),
            "Read me",
        ),
        ('<ac:structured-macro ac:name="toc" />', "[toc]"),
        (
            (
                '<ac:structured-macro ac:name="status"><ac:parameter ac:name="title">DONE</ac:parameter>'
                "</ac:structured-macro>"
            ),
            "[status: DONE]",
        ),
        ('<ac:link><ri:user ri:account-id="1" /></ac:link>', "@user"),
        ('<ac:link><ri:page ri:content-title="Runbook" /></ac:link>', "Runbook"),
        (
            (
                '<ac:link><ri:page ri:content-title="R" /><ac:plain-text-link-body><![CDATA[the <R>]]>'
                "</ac:plain-text-link-body></ac:link>"
            ),
            "the <R>",
        ),
        ('<ac:image><ri:attachment ri:filename="graph.png" /></ac:image>', "[picture: graph.png]"),
        ('<ac:image ac:alt="p99"><ri:url ri:value="https://e.org/x" /></ac:image>', "[picture: p99]"),
        (
            (
                "<ac:task-list><ac:task><ac:task-id>1</ac:task-id><ac:task-status>complete</ac:task-status>"
                "<ac:task-body>a <em>b</em></ac:task-body></ac:task></ac:task-list>"
            ),
            "- [x] a b",
        ),
        ("<p>half a page, <b>not closed", "half a page,  not closed"),
        ("", ""),
    ],
)
def test_storage_format_becomes_readable_text(body: str, text: str) -> None:
    assert read_storage(body) == text


def test_a_page_cannot_declare_entities_of_its_own() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><p>&b;</p>'
    assert "haha" not in read_storage(bomb)
    with pytest.raises(storage.Malformed):
        storage.parse(bomb)


def test_the_builder_escapes_what_is_put_into_it() -> None:
    element = ET.Element("div")
    ET.SubElement(element, "p", {"x": '"<&'}).text = "<&>"
    assert serialize(element) == '<p x="&quot;&lt;&amp;">&lt;&amp;&gt;</p>'
