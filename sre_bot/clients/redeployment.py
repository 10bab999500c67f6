"""The command that redeploys a service: one program with its arguments, never a shell.

`{service}` in the arguments becomes the service's name, which the caller has looked up in the catalog. It refuses
nothing else: what the command does is the operator's decision. It is bounded in time and in what is kept of its output,
and its environment has nothing of ours, which may hold keys.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sre_bot.errors import RemediationError

OUTPUT_LIMIT = 4_000
"""Bytes kept of a command's output, the last ones: there it says why it failed."""

_DRAIN_TIMEOUT = 1.0  # seconds for the rest of the output: a child left in the background may hold the pipe for ever
_INHERITED = (
    *("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR"),
    *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "KUBECONFIG", "XDG_RUNTIME_DIR"),
)


@dataclass(frozen=True)
class Redeployment:
    """How the command ended: its exit status (None: stopped at the timeout), how long it took and its last output."""

    status: int | None
    seconds: float
    output: str

    @property
    def succeeded(self) -> bool:
        """Whether the command says that it did its work."""
        return self.status == 0

    @property
    def ending(self) -> str:
        """`exit status 1 after 2.3 s`."""
        how = "stopped, because it ran into REDEPLOY_TIMEOUT," if self.status is None else f"exit status {self.status}"
        return f"{how} after {self.seconds:.1f} s"


class Redeployer:
    """Runs the command.

    Args:
        command: the argument vector; `{service}` in it is replaced.
        timeout: seconds; then the command and all its children are killed.
        folder: its working directory.
    """

    def __init__(self, command: Sequence[str], timeout: float, folder: Path) -> None:
        self._command = command
        self._timeout = timeout
        self._folder = folder

    async def redeploy(self, service: str) -> Redeployment:
        """Run the command for one service, and wait for its end.

        Raises:
            RemediationError: it could not be started at all.
        """
        started = time.monotonic()
        arguments = [argument.replace("{service}", service) for argument in self._command]
        reading, writing = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                env={name: os.environ[name] for name in _INHERITED if name in os.environ},
                cwd=self._folder,
                start_new_session=True,  # its children can be killed with it
            )
        except OSError as error:
            os.close(reading)
            raise RemediationError(
                f"{service} was not redeployed: {arguments[0]!r} cannot be started ({error.strerror}). "
                f"REDEPLOY_COMMAND must begin with a program of this machine."
            ) from error
        finally:
            os.close(writing)
        tail = _Tail()
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: tail, os.fdopen(reading, "rb", 0))
        try:
            status = await self._wait(process)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(tail.ended.wait(), _DRAIN_TIMEOUT)
        finally:
            pipe.close()
        return Redeployment(status, time.monotonic() - started, tail.text())

    async def _wait(self, process: asyncio.subprocess.Process) -> int | None:
        try:
            async with asyncio.timeout(self._timeout):
                return await process.wait()
        except TimeoutError:
            return None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()


class _Tail(asyncio.Protocol):
    """Keeps the last bytes of a pipe, however much comes."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self.ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self._kept += data
        del self._kept[:-OUTPUT_LIMIT]

    def connection_lost(self, _: Exception | None) -> None:
        self.ended.set()

    def text(self) -> str:
        """Lines of printable characters: a build's colours and progress bars say nothing here."""
        lines = self._kept.decode("utf-8", "replace").replace("\r", "\n").splitlines()
        return "\n".join("".join(char for char in line if char.isprintable()) for line in lines if line.strip())
