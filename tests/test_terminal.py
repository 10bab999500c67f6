"""A thread in a terminal: whatever Slack changes in place is printed once, when it can no longer change."""

from io import StringIO
from typing import Any

from sandbox.terminal import ThreadPrinter, has_button, is_complete

NAMES = {"U1": "Ada", "B1": "SRE Bot"}


def message(ts: str, text: str, author: str = "B1") -> dict[str, Any]:
    return {"ts": ts, "bot_id": author, "markdown": text, "files": []}


def printed(*shown: dict[str, Any]) -> list[str]:
    out = StringIO()
    printer = ThreadPrinter(NAMES, out)
    for each in shown:
        printer.show(each)
    return [line.strip() for line in out.getvalue().splitlines() if line.strip()]


def test_a_growing_answer_is_printed_line_by_line_and_each_line_once() -> None:
    growing = [
        message("1", "Looking.\n- 🔄 Reading the logs\n⏳ _Working_"),
        message("1", "Looking.\n- ✅ Reading the logs · 0.4 s\n⏳ _Working_"),
        message("1", "Looking.\n- ✅ Reading the logs · 0.4 s\n**Verd\n⏳ _Working_"),
        message("1", "Looking.\n- ✅ Reading the logs · 0.4 s\n**Verdict:** fine.\n_1 tool call · 2 s_"),
    ]
    lines = ["Looking.", "- ✅ Reading the logs · 0.4 s", "**Verdict:** fine.", "_1 tool call · 2 s_"]
    assert printed(*growing) == ["SRE Bot", *lines]


def test_a_list_that_grows_is_not_printed_in_pieces() -> None:
    assert printed(
        message("1", "Done.\n- CHAN\n⏳ _Working_"), message("1", "Done.\n- CHANGED it\n_0 tool calls_")
    ) == [
        "SRE Bot",
        "Done.",
        "- CHANGED it",
        "_0 tool calls_",
    ]


def test_whose_message_goes_on_is_said_again() -> None:
    shown = [
        message("1", "a question", "U1"),
        message("2", "card"),
        message("3", "more", "U1"),
        message("2", "approved"),
    ]
    assert printed(*shown) == ["Ada", "a question", "SRE Bot", "card", "Ada", "more", "SRE Bot", "approved"]


def test_a_date_is_what_a_reader_sees_of_it() -> None:
    assert printed(message("1", "until <!date^1795636630^{time}|2026-11-25 19:57 UTC>; then void"))[1:] == [
        "until 2026-11-25 19:57 UTC; then void"
    ]


def test_an_answer_is_complete_when_its_footer_counts_the_calls() -> None:
    assert is_complete(message("1", "fine.\n_2 tool calls · 3 s_"))
    assert not is_complete(message("1", "fine.\n⏳ _Working_"))
    assert not is_complete(message("1", ""))


def test_a_button_is_found_by_its_action() -> None:
    card = {"blocks": [{"type": "actions", "elements": [{"action_id": "proposal_approve"}]}, {"type": "divider"}]}
    assert has_button(card, "proposal_approve")
    assert not has_button(card, "proposal_reject")
