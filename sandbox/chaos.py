"""Pages that come twice and in any order to a bot that is killed again and again; what happens is drawn from a seed.

PagerDuty tells of incidents that are triggered, acknowledged, and half of them resolved; each event is sent twice, and
so many at a time in any order. Every other kill is aimed: it comes after Slack has taken a message and before it has
answered, where a bot cannot know whether its message is there. Of the others half come while it starts.
"""

import asyncio
import random
import time
from dataclasses import dataclass, field

from sandbox.paged import Bot, Paged
from sandbox.screen import Verdict, judge

SHUFFLED = 10  # deliveries held back and sent in any order
THINKING = 1.0  # seconds of the model before it answers, so that kills find it at work
AIM = 8.0  # seconds to wait for a message to aim at; where there is none, the kill comes anyway
LONGEST_LIFE = 6.0  # seconds of a process that is ready before a kill that is not aimed
START = 4.0  # seconds that a process needs to start, at most, where the machine is quiet
LOOK_EVERY = 0.5  # seconds
EVENTS = ("triggered", "acknowledged", "resolved")


@dataclass
class Outcome:
    """What came of it; seconds from the first event on.

    Attributes:
        deliveries: requests that PagerDuty had to have accepted.
        attempts: requests that it made.
        lost: events that it gave up, or that were refused.
        aimed: kills between Slack's taking a message and its answer.
        verdict: what people saw in the end.
        delivered: seconds until the last delivery was accepted.
        drained: seconds until all was done.
        last_kill: seconds until the last kill.
    """

    deliveries: int
    attempts: int = 0
    lost: int = 0
    kills: int = 0
    aimed: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    delivered: float = 0.0
    drained: float = 0.0
    last_kill: float = 0.0


class Chaos:
    """One run.

    Args:
        paged: everything but the bot.
        bot: the one that is killed; not started yet.
        seed: of every draw.
        incidents: how many.
        kills: how many.
        seconds: over how long PagerDuty tells of what happens.
    """

    def __init__(self, paged: Paged, bot: Bot, *, seed: int, incidents: int, kills: int, seconds: float) -> None:
        self.paged = paged
        self.bot = bot
        self.seed = seed
        self.kills = kills
        self.states: dict[int, str] = {}
        self.incidents: dict[int, str] = {}
        self._random = random.Random(seed)
        self._events = self._plan(incidents)
        self._pause = seconds / len(self._events)
        self._began = 0.0

    async def run(self, patience: float) -> Outcome:
        """Do it all, and wait until everything is done.

        Raises:
            TimeoutError: it is not, after `patience` seconds; says what is missing.
        """
        outcome = Outcome(deliveries=2 * len(self._events))
        await self.paged.order(self.paged.model, "pace", delay_ms=1_000 * THINKING)
        await self.paged.subscribe(self.bot, duplicates=1, shuffle=SHUFFLED, seed=self.seed)
        await self.bot.start()
        self._began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.tell())
            group.create_task(self._kill_on(outcome))
        deadline = self._began + patience
        await self._await_accepted(outcome, deadline)
        outcome.verdict = await self.await_settled(deadline)
        outcome.drained = time.monotonic() - self._began
        return outcome

    async def await_settled(self, deadline: float) -> Verdict:
        """Wait until every incident is shown as it is, and every thread has its end.

        Raises:
            TimeoutError: it has not, at `deadline` of the monotonic clock.
        """
        while not (verdict := await judge(self.paged, self.states, self.incidents)).settled:
            if time.monotonic() > deadline:
                raise TimeoutError(f"seed {self.seed}: {verdict}\n{self.bot.child.tail(30)}")
            await asyncio.sleep(LOOK_EVERY)
        return verdict

    def _plan(self, incidents: int) -> list[tuple[int, str]]:
        """Every incident's events in their order, those of all incidents mixed."""
        waiting = {number: list(EVENTS[: 3 if number % 2 else 2]) for number in range(1, incidents + 1)}
        plan = []
        # Few at a time: an incident is over before the last one begins, as in life.
        while waiting:
            number = self._random.choice(list(waiting)[:8])
            plan.append((number, waiting[number].pop(0)))
            if not waiting[number]:
                del waiting[number]
        return plan

    async def tell(self) -> None:
        """Let everything happen in PagerDuty, over the seconds that it is given."""
        for number, event in self._events:
            if event == "triggered":
                self.incidents[number] = await self.paged.report(f"Fault {number:03d} on api-server")
            else:
                await self.paged.act(self.incidents[number], event.removesuffix("d"))
            self.states[number] = event
            await asyncio.sleep(self._pause)
        await self.paged.release()

    async def _kill_on(self, outcome: Outcome) -> None:
        for number in range(self.kills):
            moment = self._random.uniform(0.0, 1.0)
            if number % 4 == 2:
                await asyncio.sleep(moment * START)
            else:
                await self.bot.await_ready()
                if number % 2:
                    outcome.aimed += await self.aim()
                else:
                    await asyncio.sleep(moment * LONGEST_LIFE)
            await self.bot.kill()
            outcome.kills += 1
            outcome.last_kill = time.monotonic() - self._began
            await self.paged.order(self.paged.slack, "faults", clear=True)
            await self.bot.begin()
        await self.bot.await_ready()

    async def aim(self) -> bool:
        """Wait until Slack has taken a message and not answered; False where the bot sends none."""
        fault = {"method": "chat.postMessage", "kind": "hold_after", "delay": 2 * AIM}
        await self.paged.order(self.paged.slack, "faults", **fault)
        try:
            async with asyncio.timeout(AIM):
                while not (await self.paged.look(self.paged.slack, "faults"))["held"]:
                    await asyncio.sleep(0.01)
        except TimeoutError:
            return False
        return True

    async def _await_accepted(self, outcome: Outcome, deadline: float) -> None:
        while (found := await self.paged.deliveries())["pending"]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"seed {self.seed}: {found['pending']} events were not accepted")
            await asyncio.sleep(LOOK_EVERY)
        outcome.delivered = time.monotonic() - self._began
        outcome.attempts = len(found["deliveries"])
        accepted = sum(each["outcome"] == "accepted" for each in found["deliveries"])
        outcome.lost = outcome.deliveries - accepted
