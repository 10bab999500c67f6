"""A thread in a terminal: whatever Slack changes in place is printed once, when it can no longer change."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from sandbox.surroundings import Surroundings
from sandbox.terminal import Telling, ThreadPrinter, has_button, is_complete

NAMES = {"U1": "Ada", "B1": "SRE Bot"}


def message(ts: str, text: str, author: str = "B1") -> dict[str, Any]:
    return {"ts": ts, "bot_id": author, "markdown": text, "files": [], "blocks": []}


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


CARD = {"type": "actions", "elements": [{"action_id": "proposal_approve"}]}


class Looks(Surroundings):
    """A thread with a card, since the click with an answer, and soon with two: at each look as it is then."""

    def __init__(self, *cards: str) -> None:
        super().__init__(Path("nowhere"))
        self._cards = list(cards)
        self._clicked = False
        self._answers: tuple[str, ...] = ("4",)

    async def _start(self) -> None:
        """There is nothing to start."""

    def names(self) -> dict[str, str]:
        return NAMES

    async def click(self, message: dict[str, Any], action: str, user: str = "Ada") -> None:
        assert (message["ts"], action, user) == ("3", "proposal_approve", "Ada")
        self._clicked = True

    async def thread(self, ts: str) -> list[dict[str, Any]]:
        assert ts == "1"
        earlier = {"ts": "2", "text": "Failed: #1 y", "bot_id": "B1", "blocks": []}
        waiting = {"ts": "3", "text": "Waits for your decision: #2 x", "bot_id": "B1", "blocks": [CARD]}
        if not self._clicked:
            return [message("1", "a question"), earlier, waiting]
        said = [message(number, "RECOVERED: or so says the model\n_1 tool call · 2 s_") for number in self._answers]
        self._answers = ("4", "5")
        text = self._cards.pop(0) if len(self._cards) > 1 else self._cards[0]
        return [message("1", "a question"), earlier, {**waiting, "text": text, "blocks": []}, *said]


@pytest.mark.parametrize(("ended", "done"), [("Carried out", True), ("Failed", False), ("Void", False)])
async def test_a_card_that_is_behind_the_answer_is_waited_for(ended: str, done: bool):
    telling = Telling(Looks("Approved: #2 x", "Is carried out: #2 x", f"{ended}: #2 x"), "1")
    await telling.approve()
    assert await telling.carried_out() is done


async def test_a_verdict_is_the_cards_also_where_the_words_about_it_come_before():
    card = "Carried out: #2 x"
    telling = Telling(Looks(card, card, f"{card}\nWhat the figures say\nNOT RECOVERED: still breached"), "1")
    await telling.approve()
    assert await telling.verdict() == "NOT RECOVERED"
