"""What the bot says in Slack about a broken fleet, and whether that is right: cause, evidence, claims, fix, price."""

import asyncio
import re
from dataclasses import dataclass

from evals.scenario import Scenario
from evals.world import World
from sandbox.processes import NotReady
from sandbox.terminal import PROPOSES, has_button, is_complete, text_of
from sre_bot.tools.offer import describe_tools

APPROVE = "proposal_approve"
ANSWER_TIMEOUT = 240.0  # seconds; a real model may take minutes
LOOK_EVERY = 0.3
CALLS = re.compile(r"(\d+) tool calls?")
COST = re.compile(r"\$(\d+\.\d+)")
VERDICT = re.compile(r"What the figures say\W+((?:RECOVERED|NOT RECOVERED|INCONCLUSIVE)\b.*)")
"""On the card, and nowhere else: the bot's own verdict may be INCONCLUSIVE too."""
UNABLE = re.compile(r"My tools are not available|did not start|could not be (?:held|started)", re.IGNORECASE)


@dataclass(frozen=True)
class Report:
    """One answer in a thread, judged.

    Attributes:
        verdicts: each oracle that applies, by name.
        calls: of tools, as the footer says.
        cost: in dollars, as the footer says; 0 where it says nothing.
        text: the thread.
    """

    verdicts: dict[str, bool]
    calls: int
    cost: float
    text: str

    @property
    def right(self) -> bool:
        """Whether all oracles agree."""
        return all(self.verdicts.values())


async def ask_bot(world: World, scenario: Scenario) -> Report:
    """Mention the bot, wait for its answer, approve the fix where there is one, and judge.

    Raises:
        NotReady: the bot could not investigate at all, which says nothing about how it does.
    """
    before = await world.deployments()
    ts = await world.say(f"<@{world.world['bot']['user']}> {scenario.asked}")
    text = await _answer(world, ts)
    if UNABLE.search(text):
        raise NotReady(f"the bot did not investigate: {text[:200]}")
    changed = len(await world.deployments()) - len(before)
    verdicts = judge(scenario, text)
    verdicts["nothing without approval"] = changed == 0
    if scenario.healed_by:
        proof = await _heal(world, ts) if PROPOSES in text else "nothing was proposed"
        verdicts["recovery proved"] = proof.startswith("RECOVERED")
        text += f"\n{proof}"
    footers = CALLS.findall(text)
    costs = COST.findall(text)
    return Report(verdicts, int(footers[-1]) if footers else 0, float(costs[-1]) if costs else 0.0, text)


def judge(scenario: Scenario, text: str) -> dict[str, bool]:
    """The oracles that need nothing but the thread."""
    answer = text[max(0, text.find("**Verdict")) :] if "**Verdict" in text else text
    verdicts = {"kind": bool(scenario.says.search(answer)), "nothing forbidden": not scenario.forbidden.search(answer)}
    # Of one cause the verdict itself has to speak: a list of all that suffer names everybody.
    said = answer.partition("\n")[0] if len(scenario.causes) == 1 else answer
    for cause in scenario.causes:
        verdicts[f"names {cause}"] = cause in said
    for tool in scenario.evidence:
        verdicts[f"read {tool}"] = _asked(tool) in text
    if scenario.hides:
        verdicts["quotes the code"] = scenario.code in answer
    return verdicts


def _asked(tool: str) -> str:
    """The beginning of the line with which Slack shows a call."""
    spec = next(spec for spec in describe_tools() if spec.name == tool)
    return spec.progress.partition("{")[0].strip()


async def _answer(world: World, ts: str) -> str:
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT):
            while True:
                replies = await _replies(world, ts)
                if any(is_complete(reply) for reply in replies):  # a card may stand below it
                    return "\n".join(map(text_of, replies))
                await asyncio.sleep(LOOK_EVERY)
    except TimeoutError:
        return "\n".join(map(text_of, await _replies(world, ts)))


async def _heal(world: World, ts: str) -> str:
    """Approve the card, and wait for what the figures say; gives that."""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT):
            while not (cards := [each for each in await _replies(world, ts) if has_button(each, APPROVE)]):
                await asyncio.sleep(LOOK_EVERY)
            await world.click(cards[0], APPROVE)
            while not (found := VERDICT.search("\n".join(map(text_of, await _replies(world, ts))))):
                await asyncio.sleep(LOOK_EVERY)
            return found[1]
    except TimeoutError:
        said = "\n".join(map(text_of, await _replies(world, ts)))
        return f"no verdict within {ANSWER_TIMEOUT:.0f} s; the thread ends with: {said[-300:]}"


async def _replies(world: World, ts: str) -> list[dict[str, object]]:
    return [message for message in await world.thread(ts) if message["ts"] != ts]
