"""The demo: a fleet breaks, somebody asks the bot, a person approves, and figures prove that it recovered.

It is printed live, and without --once a page in the browser shows it all, where the person clicks.

Everything but Slack, PagerDuty, Confluence, the fleet and (without a key) the model is what production runs. With
ANTHROPIC_API_KEY set, the real model investigates.
"""

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp

from sandbox import page
from sandbox.processes import NotReady
from sandbox.stack import QUICKLY, Stack, real_model_environment
from sandbox.stories import FALSE_ALARM, POOL, STORIES, Story
from sandbox.surroundings import ADA
from sandbox.terminal import Telling

LEAST_FREE = 1 << 20  # bytes; with less nothing can be written that matters
TOO_LATE = "what should come next did not come in time."
HELP_TYPING = "What you type here, Ada says in the thread: `approve 1`, `why?`, `page on-call`, `close out`."


def main() -> int:
    """Run the demo; with --once the exit status is 0 only if the root cause was found and the fleet recovered."""
    arguments = command_line().parse_args()
    story = FALSE_ALARM if arguments.healthy else STORIES[arguments.story]
    folder: Path | None = None
    try:
        folder = Path(tempfile.mkdtemp(prefix="sre-bot-demo-"))
        return asyncio.run(_demo(Demo(folder, story, once=arguments.once, page=arguments.page)))
    except (NotReady, OSError, aiohttp.ClientError) as error:
        logs = f"\nThe logs are in {folder}" if folder else ""
        if folder and shutil.disk_usage(folder).free < LEAST_FREE:
            logs = f"\nNo space is left for {folder}: free some, or name another folder with TMPDIR."
        print(f"\nThe demo could not go on: {str(error) or TOO_LATE}{logs}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def command_line() -> argparse.ArgumentParser:
    """What may be asked of it."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="Ada approves what is proposed; end after the verdict")
    parser.add_argument("--story", choices=sorted(STORIES), default=POOL.name, help="what breaks (default: pool)")
    parser.add_argument("--healthy", action="store_true", help=f"the same as --story {FALSE_ALARM.name}")
    parser.add_argument("--page", action="store_true", help="PagerDuty pages the bot, and nobody mentions it")
    return parser


class Demo:
    """One story, told in the terminal.

    Args:
        folder: for everything that the parts write.
        story: what happens.
        once: end by itself.
        page: begin with a page in place of a mention.
    """

    def __init__(self, folder: Path, story: Story, *, once: bool, page: bool) -> None:
        self.folder = folder
        self._story = story
        self._once = once
        self._page = page
        self._model = real_model_environment()

    async def tell(self, stopping: asyncio.Event) -> int:
        """Tell it all; gives the exit status."""
        model = "the real one" if self._model else "the scripted offline playbook (set ANTHROPIC_API_KEY for Claude)"
        print(
            "Starting a fleet, Prometheus, Alertmanager, stand-ins for Slack, PagerDuty and Confluence, and the bot …"
        )
        print(
            f"The fleet and the stand-ins are simulated; the rest is real. Model: {model}.",
            flush=True,
        )
        stack = Stack(self.folder, real_model=self._model, bot_settings=QUICKLY, paged=True, approvers=(ADA,))
        async with AsyncExitStack() as running:
            url = ""
            if not self._once:
                name = self._model.get("SRE_MODEL", "Claude") if self._model else ""
                url = await running.enter_async_context(page.show(stack, model=name, approvers=("Ada",)))
                print(f"\n  Open {url}\n", flush=True)
            await running.enter_async_context(stack)
            addresses = f"fleet {stack.fleet.found} · Prometheus {stack.prometheus.found}"
            print(f"  {addresses} · Slack stand-in {stack.slack.found}")
            telling = await self._begin(stack)
            found = bool(self._story.cause.search(await telling.follow()))
            if self._once:
                return await self._end(telling, found=found)
            print(f"\nEverything stays up, and the page too: {url}\nOr edit {stack.env_file} and redeploy with")
            print(f"  .venv/bin/python scripts/redeploy.py {stack.fleet.found} api-server\nCtrl-C ends it all.")
            await _go_on(telling, stopping)
            return 0

    async def _begin(self, stack: Stack) -> Telling:
        """Break the fleet, and let the bot be asked about it."""
        story = self._story
        print(f"\n{story.author} deploys {story.change} to api-server (“{story.reason}”) …")
        (figure,) = (await stack.break_by(story)).values()
        print(f"  {story.shows.format(figure=figure)}")
        if self._page:
            print(f"  PagerDuty pages: {story.paged}")
            return Telling(stack, await stack.page(story.paged))
        mention = f"<@{stack.world['bot']['user']}> {story.asked}"
        return Telling(stack, await stack.say(mention))

    async def _end(self, telling: Telling, *, found: bool) -> int:
        """With --once: approve what is proposed, and wait for the proof."""
        print("\nThe root cause was found." if found else "\nThe root cause was not found in the answer.")
        if self._story.heals and telling.proposed:
            await telling.approve()
            if not await telling.carried_out():
                print("\nThe change was not carried out; the card above says why.")
                return 1
            print("\n  (The figures are compared when the rates have had their minute …)", flush=True)
            verdict = await telling.verdict()
            print(f"\n{verdict}")
            found = found and verdict == "RECOVERED"
        return 0 if found else 1


async def _demo(demo: Demo) -> int:
    stopping = _stop_on_signals()
    story = asyncio.create_task(demo.tell(stopping))
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait({story, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if not story.done():
        print("\nStopping …")
        story.cancel()
        await asyncio.wait({story})
    status = 130 if story.cancelled() else story.result()
    if status in (0, 130):
        shutil.rmtree(demo.folder, ignore_errors=True)
    return status


async def _go_on(telling: Telling, stopping: asyncio.Event) -> None:
    """Print what comes, and say what is typed, until the end is asked for."""
    loop, typed = asyncio.get_running_loop(), asyncio.Queue[str]()
    if sys.stdin.isatty():
        print(HELP_TYPING)
        # A terminal gives whole lines, so reading one never waits; a thread that waits could not be ended.
        loop.add_reader(sys.stdin.fileno(), lambda: typed.put_nowait(os.read(sys.stdin.fileno(), 4_096).decode()))
    try:
        while not stopping.is_set():
            await telling.look()
            while not typed.empty():
                if words := typed.get_nowait().strip():
                    await telling.say(words)
            await asyncio.sleep(0.2)
    finally:
        if sys.stdin.isatty():
            loop.remove_reader(sys.stdin.fileno())


def _stop_on_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping
