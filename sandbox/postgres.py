"""Runs a PostgreSQL of its own on loopback, with its data in a folder: Debian's cluster and service are not touched.

It keeps its promises (fsync is on) and little else: small buffers, no Unix socket, one superuser whose password holds
what a URL has to quote. It can be stopped, crashed and started again on the same port, as a database that restarts.
"""

import os
import pwd
import secrets
import shutil
import signal
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from sandbox.ports import free_port
from sandbox.processes import Child, NotReady

USER = "bot"
PASSWORD = "password"  # noqa: S105  # the name of a file
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "32MB",
    "authentication_timeout": "15s",  # who gave up half way keeps its connection, and its database, for as long
    "max_connections": "100",  # three bots and a few tool processes, with room
    "wal_init_zero": "off",  # each new database fills half a log segment: zeroing these first is most of the work
}


class Postgres:
    """A running server.

    Attributes:
        port: where it listens on 127.0.0.1, also after a restart.
    """

    def __init__(self, folder: Path, bin_dir: Path, password: str) -> None:
        self.port = free_port()
        self._folder = folder.absolute()
        self._bin_dir = bin_dir
        self._password = password
        self._child: Child | None = None

    @classmethod
    async def start(cls, folder: Path) -> Self:
        """Start a server, with `data/` and its logs in a folder; the data that is there is used again.

        Raises:
            NotReady: PostgreSQL is not installed, or did not start.
        """
        bin_dir = find_binaries()
        if bin_dir is None:
            raise NotReady("PostgreSQL is not installed: no initdb on PATH or in /usr/lib/postgresql.")
        server = cls(folder, bin_dir, _keep_password(folder))
        await server._make_data()
        await server.resume()
        return server

    @property
    def running(self) -> bool:
        """Whether the server has not ended."""
        return self._child is not None and self._child.running

    def url(self, database: str = "postgres") -> str:
        """The URL of a database, with user and password."""
        return f"postgresql://{USER}:{quote(self._password, safe='')}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str, template: str = "template0") -> str:
        """Make a database, as a copy of another one that nobody is connected to; gives its URL."""
        make = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        self._order(make)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        self._order(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    async def resume(self) -> None:
        """Start it again after `stop` or `crash`, on the same port and data.

        Raises:
            NotReady: it did not start; the message ends with its last words.
        """
        settings = [f"-c{name}={value}" for name, value in (SETTINGS | {"port": str(self.port)}).items()]
        # Should this process die: a fast shutdown, since a killed server leaves its shared memory behind.
        command = [*_as_ordinary_user("INT"), str(self._bin_dir / "postgres"), "-D", str(self._folder / "data")]
        self._child = await Child.start(
            "postgres",
            [*command, *settings],
            ready="database system is ready to accept connections",
            log_dir=self._folder,
            env={"LC_ALL": "C"},
        )

    async def stop(self) -> None:
        """End it in order, cutting every connection (a fast shutdown)."""
        await self._end(signal.SIGINT)

    async def crash(self) -> None:
        """End it as a crash would: no checkpoint, and the next start recovers from the log."""
        await self._end(signal.SIGQUIT)

    async def _end(self, way: signal.Signals) -> None:
        if self._child is None:
            return
        if self._child.running:
            os.kill(self._child.pid, way)
        await self._child.stop()  # its SIGTERM counts for less than what was sent already

    async def _make_data(self) -> None:
        data, password = self._folder / "data", self._folder / PASSWORD
        if not _make_empty(data):
            return
        command = [*_as_ordinary_user("KILL"), str(self._bin_dir / "initdb"), "--pgdata", str(data)]
        options = ["--username", USER, "--pwfile", str(password), "--auth", "scram-sha-256"]
        options += ["--encoding", "UTF8", "--locale", "C", "--no-sync"]
        made = await Child.start(
            "initdb", [*command, *options], ready=r"Success\.", log_dir=self._folder, env={"LC_ALL": "C"}
        )
        await made.wait()

    def _order(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)


def find_binaries() -> Path | None:
    """The folder of initdb and postgres: on PATH, or the newest of Debian's, which are not on it; None without any."""
    if (initdb := shutil.which("initdb")) and shutil.which("postgres"):
        return Path(initdb).parent
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(found, key=lambda path: [int(part) for part in path.parent.name.split(".")], default=None)


def _keep_password(folder: Path) -> str:
    """Give the password that is kept in a folder, making both where they are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / PASSWORD
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(f"{secrets.token_urlsafe(12)}@:/%?#")
    return file.read_text()


def _make_empty(data: Path) -> bool:
    """Make the folder of the data, for the user that the server runs as; False where there is data in it already."""
    if (data / "PG_VERSION").exists():
        return False
    data.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(data, *_ordinary_user())
    return True


def _as_ordinary_user(at_our_end: str) -> list[str]:
    """What to put before a command as root, whom PostgreSQL refuses; `at_our_end` is the signal it then gets."""
    if os.geteuid() != 0:
        return []
    uid, gid = _ordinary_user()
    # The capability: temporary folders are often closed to all but the user that made them, which is root.
    # The signal: changing the user forgets the one that `Child` has asked for.
    return [
        *("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups"),
        *("--inh-caps=+dac_override", "--ambient-caps=+dac_override", f"--pdeathsig={at_our_end}", "--"),
    ]


def _ordinary_user() -> tuple[int, int]:
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return found.pw_uid, found.pw_gid
    raise NotReady("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as.")
