"""Slack's stand-ins for tests: one process that opens a fresh stand-in on a port of its own whenever it is asked.

Each is as new as a process of its own would be, and none shares the loop of the bot under test; what is saved is half a
second of imports for every test. A line on standard input opens one (its arguments as JSON) or closes one (its
address); a line on standard output answers.
"""

import asyncio
import json
import sys

from aiohttp import web

from sandbox.slack.__main__ import open_stand_in, read_arguments


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def serve() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    runners: dict[str, web.AppRunner] = {}
    while line := await reader.readline():  # its end is the end of the tests
        order = json.loads(line)
        if isinstance(order, str):
            await runners.pop(order).cleanup()
            _say("closed")
        else:
            runner, url = await open_stand_in(read_arguments(order))
            runners[url] = runner
            _say(url)


if __name__ == "__main__":
    asyncio.run(serve())
