"""What became of every page, as people see it in Slack: the verdict on bots that were killed, flooded and cut off.

Only the screen and the stand-ins' own records are read, never a bot's database: what is not seen did not happen.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.paged import Paged
from sandbox.terminal import WORKING, is_complete

SIGNS = {"triggered": "🔴", "acknowledged": "🟡", "resolved": "✅"}
NUMBER = re.compile(r"Fault (\d+)")

Message = Mapping[str, Any]


@dataclass
class Verdict:
    """What was found; everything but `asked_again` and `begun_again` is empty where all is well.

    Attributes:
        missing: incidents on no card.
        double: incidents on more than one.
        wrong: incidents whose card does not show their state.
        repeated: keys of messages that were posted more than once.
        unended: threads without the end that they should have, and why.
        double_answers: threads in which one question was answered more than once.
        asked_again: how often the model was asked a question that it had been asked before.
        begun_again: how many replies were begun after another one of the same question was broken off.
        given_up: how many questions ended with the bot saying that it was restarted too often.
    """

    missing: list[int] = field(default_factory=list)
    double: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    unended: list[str] = field(default_factory=list)
    double_answers: list[str] = field(default_factory=list)
    asked_again: int = 0
    begun_again: int = 0
    given_up: int = 0

    @property
    def settled(self) -> bool:
        """Whether nothing is left to be done; what cannot be mended, such as a double card, does not count."""
        return not (self.missing or self.wrong or self.unended)

    @property
    def clean(self) -> bool:
        """Whether everything is as it should be."""
        return self.settled and not (self.double or self.repeated or self.double_answers)


async def judge(paged: Paged, states: Mapping[int, str], incidents: Mapping[int, str]) -> Verdict:
    """Look at the screen.

    Args:
        paged: where.
        states: by the number in an incident's title `Fault {number}`, how it stands in PagerDuty.
        incidents: their ids, by the same number.
    """
    verdict = Verdict()
    cards = await paged.cards()
    shown: dict[int, list[Message]] = {number: [] for number in states}
    for found_card in cards:
        for number in _numbers(found_card):
            shown[number].append(found_card)
    for number, found in sorted(shown.items()):
        _judge_card(verdict, number, states[number], found)
    keys = Counter(_key(card) for card in cards)
    if not verdict.missing and not verdict.wrong:
        for number, (card, *_) in sorted(shown.items()):
            messages = await paged.replies(card["ts"])
            keys.update(map(_key, messages))
            _judge_thread(verdict, number, states[number], messages)
    verdict.repeated = [key for key, count in keys.items() if key and count > 1]
    verdict.asked_again = await _asked_again(paged, incidents.values())
    return verdict


def questions(messages: Iterable[Message]) -> set[str]:
    """Which questions the replies in a thread answer."""
    return {turn for message in messages if (turn := _turn(message))}


def _judge_card(verdict: Verdict, number: int, state: str, found: list[Message]) -> None:
    if not found:
        verdict.missing.append(number)
    elif len(found) > 1:
        verdict.double.append(number)
    for card in found:
        headline = str(card["notification"])
        if not headline.startswith(SIGNS[state]):
            verdict.wrong.append(f"{number} is {state}: {headline}")
        elif "Investigating …" in card["text"] or "Waiting to be investigated" in card["text"]:
            verdict.wrong.append(f"{number} still says that it is looked into")


def _judge_thread(verdict: Verdict, number: int, state: str, messages: list[dict[str, Any]]) -> None:
    for message in messages:
        if WORKING in _text(message):
            verdict.unended.append(f"{number}: a reply looks as if it ran: {_text(message)!r}")
    closings = sum(":end:" in _key(message) for message in messages)
    if closings != (1 if state == "resolved" else 0):
        verdict.unended.append(f"{number} is {state} and has {closings} lines that say its end")
    asked = questions(messages)
    if state != "resolved" and not asked:
        verdict.unended.append(f"{number}: nobody looked into it")
    if len(asked) > 1:
        verdict.double_answers.append(f"{number}: {len(asked)} questions about one page")
    _judge_replies(verdict, number, messages, asked)


def _judge_replies(verdict: Verdict, number: int, messages: list[dict[str, Any]], asked: set[str]) -> None:
    gave_up = any("so I give it up" in _text(message) for message in messages)
    verdict.given_up += gave_up
    for turn in asked:
        replies = [message for message in messages if _turn(message) == turn]
        verdict.begun_again += len({_attempt(reply) for reply in replies}) - 1
        answered = sum(map(_is_answer, replies))
        if not answered and not gave_up:
            verdict.unended.append(f"{number}: a question has no answer: {[_text(reply)[:80] for reply in replies]}")
        if answered > 1:
            verdict.double_answers.append(f"{number}: {answered} answers to one question")


async def _asked_again(paged: Paged, incidents: Iterable[str]) -> int:
    requests = (await paged.look(paged.model, "requests"))["requests"]
    texts = [request["last_user_text"] for request in requests]
    counts = (sum(f"PagerDuty incidents: {incident}." in text for text in texts) for incident in incidents)
    return sum(max(0, count - 1) for count in counts)


def _numbers(card: Message) -> set[int]:
    return {int(number) for number in NUMBER.findall(f"{card['notification']} {card['text']}")}


def _is_answer(message: dict[str, Any]) -> bool:
    return is_complete(message) and "⚠️" not in _text(message)


def _text(message: Message) -> str:
    return str(message["markdown"] or message["text"])


def _key(message: Message) -> str:
    metadata = message.get("metadata") or {}
    return str(metadata.get("event_payload", {}).get("key", ""))


def _turn(message: Message) -> str:
    """The question that a reply belongs to: `turn:{id}[:{attempt}]/{page}`."""
    kind, _, rest = _key(message).partition(":")
    return rest.split("/")[0].split(":")[0] if kind == "turn" else ""


def _attempt(message: Message) -> str:
    return _key(message).split("/")[0]
