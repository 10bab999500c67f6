"""Child processes of the demo and the tests: they start clean, say when they are ready, and never outlive us.

A child is started through `setpriv --pdeathsig KILL`, so that it dies with this process even on `kill -9`, and in a
session of its own, so that Ctrl-C reaches this process only, which then stops its children in order. Its environment
holds what it is given and nothing of ours.
"""

import asyncio
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

READY_TIMEOUT = 60.0  # seconds
STOP_TIMEOUT = 25.0  # seconds; the bot may need twenty for its last words
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")


class NotReady(Exception):
    """A child did not become ready; the message ends with the last lines that it wrote."""


def most_telling(failed: ExceptionGroup[Exception]) -> Exception:
    """Of failures at the same time the one that says most: what a child wrote, before a connection that broke by it."""
    parts = [part for each in failed.exceptions for part in _flat(each)]
    told: list[Exception] = [part for part in parts if isinstance(part, NotReady)]
    told += [part for part in parts if isinstance(part, OSError)]
    return told[0] if told else NotReady(f"a part ended while it was asked something ({parts[0]!r})")


def _flat(error: Exception) -> list[Exception]:
    if isinstance(error, ExceptionGroup):
        return [part for each in error.exceptions for part in _flat(each)]
    return [error]


class Child:
    """A running child process, its output in a log file.

    Attributes:
        name: what people call it.
        found: what the first group of its ready pattern matched, such as its URL.
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.found = ""
        self._process = process
        self._log = log

    @classmethod
    async def start(
        cls, name: str, command: Sequence[str], *, ready: str, log_dir: Path, env: Mapping[str, str] | None = None
    ) -> Self:
        """Start a command and wait until it has written a line that matches `ready`.

        Args:
            name: names the log file.
            command: the argument vector.
            ready: a regular expression; its first group, if any, becomes `found`.
            log_dir: folder of the log file.
            env: variables beside the few that every program needs.

        Raises:
            NotReady: it ended, or was silent for `READY_TIMEOUT` seconds.
        """
        log = log_dir / f"{name}.log"
        leash = [setpriv, "--pdeathsig", "KILL", "--"] if (setpriv := shutil.which("setpriv")) else []
        inherited = {key: os.environ[key] for key in INHERITED if key in os.environ}
        offset = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *leash,
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**inherited, "PYTHONUNBUFFERED": "1", **(env or {})},
                start_new_session=True,
            )
        child = cls(name, process, log)
        try:
            await child._await_ready(re.compile(ready), offset)
        except BaseException:
            await child.stop()
            raise
        return child

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    def tail(self, lines: int = 12) -> str:
        """The last lines that it wrote."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    def kill(self) -> None:
        """End it as a crash would."""
        if self.running:
            self._process.kill()

    async def wait(self) -> int:
        """Wait for its end and give its exit status."""
        return await self._process.wait()

    async def stop(self) -> None:
        """Ask it to end, and end it when it does not."""
        if self.running:
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def _await_ready(self, ready: re.Pattern[str], offset: int) -> None:
        try:
            async with asyncio.timeout(READY_TIMEOUT):
                while not (match := ready.search(self._log.read_bytes()[offset:].decode(errors="replace"))):
                    if not self.running:
                        raise NotReady(f"{self.name} ended with status {self._process.returncode}:\n{self.tail()}")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise NotReady(f"{self.name} was not ready after {READY_TIMEOUT:.0f} s:\n{self.tail()}") from None
        self.found = match[1] if match.groups() else ""
