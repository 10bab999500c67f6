"""The durable engine: what was started here is done, although the process dies in the middle.

DBOS does it; this is the only file that knows it, and the interface is no wider than what is needed. A workflow is a
coroutine function whose arguments are JSON; it is run at least once, by one process at a time, and what it does is a
*step*, which is tried again until it succeeds and not repeated once its end is recorded. Started twice with one id, it
runs once. Work of one partition is done one after the other.

On SQLite the engine has a file of its own beside the ledger's, so that neither waits for the other's lock; a second
process on it is refused. On PostgreSQL it has a schema of its own, and takes over what dead replicas left.
"""

import asyncio
import contextvars
import fcntl
import json
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from dbos import DBOS, DBOSConfig, Serializer, SetEnqueueOptions, SetWorkflowID
from sqlalchemy import make_url

from sre_bot.errors import BackendError, LedgerError, RateLimited, Refused, SettingsError, SreBotError
from sre_bot.incidents.database import prepare_file

log = logging.getLogger(__name__)

VERSION = "1"
"""Constant: DBOS's default is a hash of the source, with which every deployment would strand the work before it."""
POOL = 4  # connections
POLLING = 1.0  # seconds: 0.2 costs three times as much of a processor
AT_ONCE = 20  # workflows of one queue in one process
CONNECTION = {"connect_timeout": 3, "application_name": "sre-bot engine"}
"""For PostgreSQL; beyond these seconds DBOS tries again by itself."""
PAUSE = 1.0  # seconds before the second try of a step; each further pause is twice as long
PATIENCE = 30.0  # seconds between two tries of a step at most
TRIES = 2_000  # of a step, at that pace most of a day
REFUSALS = 4
"""Tries of a step that is refused. It holds one of the places for work that could succeed, so it does not stay long."""
ATTEMPTS = 50  # processes that may die on one workflow
ENDED = frozenset({"SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"})

Body = Callable[..., Awaitable[None]]
Step = Callable[[int], Coroutine[Any, Any, None]]
"""What a step does; it is told how often this process has tried it before."""


class GivenUp(SreBotError):
    """A step failed for too long, or was refused; whoever started its workflow may start another."""


class Json(Serializer):
    """Arguments and results as JSON: DBOS's default would put pickled objects, which run code, into the database."""

    def serialize(self, data: Any) -> str:  # noqa: ANN401  (any JSON)
        """To text."""
        return json.dumps(data, default=repr)

    def deserialize(self, serialized_data: str) -> Any:  # noqa: ANN401  (any JSON)
        """From text."""
        return json.loads(serialized_data)

    def name(self) -> str:
        """How rows in this form are told."""
        return "sre_bot_json"


class Engine:
    """One process's part of the engine; there is one in a process.

    Args:
        url: the ledger's database.
        replica: this process among those that share a database.
        polling: seconds between two looks for work.
        pause: seconds before the second try of a step.
    """

    def __init__(self, url: str, replica: str, *, polling: float = POLLING, pause: float = PAUSE) -> None:
        self._url = make_url(url)
        self._file = self._url.get_backend_name() == "sqlite"
        self._replica = replica
        self._polling = polling
        self._pause = pause
        self._bodies: dict[str, Body] = {}
        self._lock: IO[str] | None = None
        self._outside = contextvars.Context()
        self._started = False
        self._steps: set[asyncio.Task[None]] = set()

    def define(self, name: str, body: Body) -> None:
        """Make a workflow known, before `open`; its name is also that of its queue and must never change."""

        async def run(*arguments: Any) -> None:  # noqa: ANN401  (any JSON)
            try:
                await body(*arguments)
            except GivenUp as error:
                log.error("%s: %s", DBOS.workflow_id, error)

        run.__qualname__ = run.__name__ = name
        self._bodies[name] = DBOS.workflow(name=name, max_recovery_attempts=ATTEMPTS)(run)

    async def open(self) -> None:
        """Begin to work, first on what the process before this one left.

        Raises:
            SettingsError: another process has this SQLite database.
            LedgerError: the database cannot be used.
        """
        self._outside = contextvars.copy_context()
        logging.getLogger("dbos").removeFilter(_at_the_end)
        database = await self._database()
        config = DBOSConfig(
            name="sre-bot",
            system_database_url=database,
            sys_db_pool_size=POOL,
            db_engine_kwargs={} if self._file else {"connect_args": CONNECTION},
            application_version=VERSION,
            executor_id=self._replica,
            serializer=Json(),
            log_level="WARNING",
            console_log_level="WARNING",
        )
        try:
            self._started = True
            await asyncio.to_thread(DBOS, config=config)
            # In this thread, where DBOS finds the loop that workflows shall run on; it is here for a moment only.
            DBOS.launch()
            for name in self._bodies:
                await DBOS.register_queue_async(
                    name,
                    worker_concurrency=AT_ONCE,
                    partition_concurrency=1,
                    polling_interval_sec=self._polling,
                    on_conflict="always_update",
                )
        except Exception as error:  # DBOS lets the errors of every driver through
            await self.close()
            raise LedgerError(
                f"The durable engine cannot use its database ({type(error).__name__}: {error})."
            ) from error

    async def start(self, name: str, *arguments: Any, key: str, partition: str, delay: float | None = None) -> None:  # noqa: ANN401
        """See that a workflow is run; it will be once this returns. A key that was used before changes nothing.

        Args:
            name: as it was defined.
            arguments: JSON.
            key: the workflow's id.
            partition: what must be done one after the other.
            delay: seconds to wait first.

        Raises:
            LedgerError: it is not recorded.
        """
        try:
            with SetWorkflowID(key), SetEnqueueOptions(queue_partition_key=partition, delay_seconds=delay):
                await DBOS.enqueue_workflow_async(name, self._bodies[name], *arguments)  # type: ignore[arg-type]
        except Exception as error:  # DBOS lets the errors of every driver through
            raise LedgerError(f"The durable engine did not record {key} ({_what(error)}).") from error

    async def ended(self, key: str) -> bool:
        """Whether a workflow has run to its end, whatever that was.

        Raises:
            LedgerError: the database does not say.
        """
        try:
            known = await DBOS.get_workflow_status_async(key)
        except Exception as error:  # DBOS lets the errors of every driver through
            raise LedgerError(f"The durable engine does not know {key} ({_what(error)}).") from error
        return known is not None and known.status in ENDED

    async def step(self, name: str, do: Step) -> None:
        """Within a workflow: do something, again and again with growing pauses while a system or the database fails.

        What fails in any other way ends the workflow.

        Raises:
            GivenUp: it failed for too long, or was refused.
        """

        async def insist() -> str:
            refusals = tried = 0
            while True:
                try:
                    await self._outside_of_workflow(do(tried))
                except (BackendError, LedgerError) as error:
                    tried += 1
                    refusals += isinstance(error, Refused)
                    if tried >= TRIES or refusals >= REFUSALS:
                        return f"{name} is given up: {error}"
                    log.warning("%s of %s: %s Trying again.", name, DBOS.workflow_id, error)
                    await self._outside_of_workflow(asyncio.sleep(self._wait(tried, error)))
                else:
                    return ""

        # Not DBOS's own retries: the errors of each would be stored, and have no form in JSON.
        if failure := await DBOS.run_step_async({"name": name}, insist):
            raise GivenUp(failure)

    def _wait(self, tried: int, error: Exception) -> float:
        """Seconds until the next try: twice as long each time, and no less than a system asks for."""
        asked = error.retry_after if isinstance(error, RateLimited) else None
        return max(min(self._pause * 2.0 ** min(tried - 1, 10), PATIENCE), asked or 0.0)

    async def _outside_of_workflow(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it outside of the workflow's context: what it sets going, such as a run, is none of its children.

        It ends with this engine: DBOS would let it go on, or begin, beside a ledger that is closed.
        """
        if not self._started:
            work.close()
            raise asyncio.CancelledError
        task = asyncio.create_task(work, context=self._outside.copy())
        self._steps.add(task)
        task.add_done_callback(self._steps.discard)
        await task

    async def remember(self, name: str, value: str) -> str:
        """Within a workflow: the value that its first attempt had."""

        async def first() -> str:
            return value

        return await DBOS.run_step_async({"name": name}, first)

    async def take_over(self, dead: str) -> None:
        """Go on with what another replica left; it must be dead for certain.

        Raises:
            LedgerError: some of it is still the other's.
        """
        try:
            left = await DBOS.list_workflows_async(
                status="PENDING", executor_id=dead, load_input=False, load_output=False
            )
            for name in {each.queue_name for each in left if each.queue_name}:
                mine = [each.workflow_id for each in left if each.queue_name == name]
                log.warning("taking over %d workflows of %s from %s", len(mine), name, dead)
                await DBOS.resume_workflows_async(mine, queue_name=name)
        except Exception as error:  # DBOS lets the errors of every driver through
            raise LedgerError(f"What {dead} left cannot be taken over yet ({_what(error)}).") from error

    async def prune(self, before: datetime) -> None:
        """Forget workflows that ended before a moment.

        Raises:
            LedgerError: not all of them.
        """
        try:
            while ended := await DBOS.list_workflows_async(
                status=[*ENDED],
                completed_before=before.isoformat(),
                limit=500,
                load_input=False,
                load_output=False,
            ):
                await DBOS.delete_workflows_async([each.workflow_id for each in ended])
        except Exception as error:  # DBOS lets the errors of every driver through
            raise LedgerError(f"The durable engine has not forgotten all ({_what(error)}).") from error

    async def close(self) -> None:
        """Stop working; what is under way goes on in the next process."""
        logging.getLogger("dbos").addFilter(_at_the_end)
        started, self._started = self._started, False
        for step in tuple(self._steps):
            step.cancel()
        if started:
            await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
            # DBOS has put its own in this place, which takes nothing any more; others still have work for threads.
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
        if self._lock:
            self._lock.close()
            self._lock = None

    async def _database(self) -> str:
        if not self._file:
            return self._url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
        path = Path(self._url.database or "").with_suffix(".engine.db")
        try:
            await prepare_file(path)
        except (OSError, sqlite3.Error) as error:
            raise LedgerError(f"The durable engine cannot use the file {path} ({error}).") from error
        self._lock = path.with_suffix(".lock").open("w", encoding="utf-8")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SettingsError(
                f"Another bot works on {self._url.database}. Stop it, or let DATABASE_URL name another file, "
                "or a PostgreSQL database, which several bots can share."
            ) from error
        return f"sqlite:///{path}"


def _at_the_end(record: logging.LogRecord) -> bool:
    """Lets no traceback through: a workflow that the end cuts off fails in DBOS' own parts, and goes on afterwards."""
    return not record.exc_info


def _what(error: Exception) -> str:
    """The first line of an error: what follows may quote statements with their parameters."""
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
