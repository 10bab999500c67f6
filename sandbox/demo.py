"""The demo: a fleet breaks, somebody asks the bot, the thread is printed live, and a page in a browser shows it all.

Everything but Slack, the fleet and (without a key) the model is what production runs. With ANTHROPIC_API_KEY set, the
real model investigates.
"""

import argparse
import asyncio
import re
import shutil
import signal
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from sandbox import page
from sandbox.processes import NotReady
from sandbox.stack import Stack, real_model_environment
from sandbox.terminal import ThreadPrinter, is_complete

QUESTION = "<@{bot}> 500 errors spiking on api-server"
BROKEN = 'sum by (service) (rate(http_requests_total{service="api-server",status=~"5.."}[15s])) > 1'
ANSWER_TIMEOUT = 300.0  # seconds; the real model may take minutes
ROOT_CAUSE = re.compile(r"DB_POOL_SIZE\W+(?:\w+\W+){0,6}?20\W+(?:\w+\W+){0,3}?1\b")
"""What the answer must say: the setting, and that it went from 20 to 1."""


def main() -> int:
    """Run the demo; with --once the exit status is 0 only if the answer names the root cause."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the first answer")
    parser.add_argument("--healthy", action="store_true", help="break nothing: ask about a false alarm")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="sre-bot-demo-"))
    try:
        return asyncio.run(_demo(folder, once=arguments.once, healthy=arguments.healthy))
    except (NotReady, TimeoutError) as error:
        print(f"\nThe demo could not go on: {error}\nThe logs are in {folder}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


async def _demo(folder: Path, *, once: bool, healthy: bool) -> int:
    stopping = _stop_on_signals()
    model = real_model_environment()
    thinker = "the real model" if model else "the scripted offline playbook (set ANTHROPIC_API_KEY for Claude)"
    print("Starting the simulated fleet, Prometheus, a stand-in for Slack and the bot …")
    print(f"Slack and the fleet are simulated; Prometheus, the agent and its tools are real. Model: {thinker}.")
    story = asyncio.create_task(_tell(folder, model, once=once, healthy=healthy, stopping=stopping))
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait({story, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if not story.done():
        print("\nStopping …")
        story.cancel()
        await asyncio.wait({story})
    status = 130 if story.cancelled() else story.result()
    if status in (0, 130):
        shutil.rmtree(folder, ignore_errors=True)
    return status


async def _tell(
    folder: Path, model: dict[str, str] | None, *, once: bool, healthy: bool, stopping: asyncio.Event
) -> int:
    stack = Stack(folder, real_model=model)
    async with AsyncExitStack() as running:
        if not once:
            url = await running.enter_async_context(page.show(stack, model=_model_name(model), approvers=("Ada",)))
            print(f"\n  Open {url}\n", flush=True)
        await running.enter_async_context(stack)
        print(f"  fleet {stack.fleet.found} · Prometheus {stack.prometheus.found} · Slack stand-in {stack.slack.found}")
        if not healthy:
            print("\nBreaking api-server: DB_POOL_SIZE=1 in a copy of config/api-server.env, then a redeploy …")
            await stack.deploy(DB_POOL_SIZE="1")
            failing = await stack.await_figures(BROKEN)
            print(f"  api-server now fails {failing['api-server']:.1f} requests per second.")
        ts = await stack.say(QUESTION.format(bot=stack.world["bot"]["user"]))
        answer = await _follow(stack, ts)
        found = healthy or bool(ROOT_CAUSE.search(answer))
        if once:
            print("\nThe root cause was found." if found else "\nThe root cause was not found in the answer.")
            return 0 if found else 1
        print(f"\nEverything stays up, and the page too: {url}\nOr edit {stack.env_file} and redeploy with")
        print(f"  curl -X POST {stack.fleet.found}/redeploy/api-server\nCtrl-C ends it all.")
        await stopping.wait()
        return 0


def _model_name(model: dict[str, str] | None) -> str:
    return model.get("SRE_MODEL", "Claude") if model else ""


async def _follow(stack: Stack, ts: str) -> str:
    """Print the thread until the bot's answer is complete; gives the text of its messages."""
    printer = ThreadPrinter(stack.names())
    async with asyncio.timeout(ANSWER_TIMEOUT):
        while True:
            messages = await stack.thread(ts)
            for message in messages:
                printer.show(message)
            replies = [message for message in messages if message["ts"] != ts]
            if replies and is_complete(replies[-1]):
                return "\n".join(reply.get("markdown") or reply["text"] for reply in replies)
            await asyncio.sleep(0.2)


def _stop_on_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping
