"""The env files of services, on disk: read one, change one key of it, put it back.

A file is replaced as a whole or not at all: the new content is written beside it, synced, and renamed over it, after
the old content was kept as `NAME.bak`. Comments, order and every other key stay as they are, byte for byte, and this is
checked with python-dotenv's own parser before anything is written. It refuses what is not a plain file directly in its
folder (a symbolic link above all), a file that it cannot read to the last line, and a file that is no longer the one
that the caller has seen. Which keys may be changed, and to what, is decided above.
"""

import asyncio
import errno
import fcntl
import hashlib
import io
import os
import re
import stat
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from sre_bot.errors import RemediationError

MAX_BYTES = 64 << 10
"""Size of an env file that is read; a larger one is something else."""

LOCK_TIMEOUT = 5.0
"""Seconds: a change alone takes milliseconds, and one with a redeploy is not waited for."""

# The value of an assignment on one line, as python-dotenv reads it: quoted, or up to a comment or the end of the line.
_VALUE = r"""(?:'[^'\\\r\n]*'|"[^"\\\r\n]*"|[^\s'"#](?:[^\r\n]*?[^\s])??|)"""
_TAIL = r"(?:[ \t]+\#[^\r\n]*|[ \t]*)(?:\r\n|\n|\r|)"


@dataclass(frozen=True)
class EnvFile:
    """One env file as it was at one moment; `values` and `lines` (counted from 1) by key, in the file's order."""

    name: str
    content: bytes
    values: Mapping[str, str]
    lines: Mapping[str, int]

    @property
    def hash(self) -> str:
        """16 hexadecimal digits of the content's SHA-256: whether a file is still the one that was seen."""
        return hashlib.sha256(self.content).hexdigest()[:16]

    def with_value(self, key: str, value: str) -> "EnvFile":
        """The file with one key changed, or added at its end.

        Raises:
            RemediationError: the assignment is written in a way that cannot be changed without touching more.
        """
        text = self.content.decode("utf-8")
        if key in self.values:
            changed = "".join(_assign(part, key, value) for part in _parts(text))
        else:
            changed = f"{text}{'' if text.endswith(chr(10)) or not text else chr(10)}{key}={value}\n"
        new = _parse(self.name, changed.encode())
        if dict(new.values) != {**self.values, key: value}:
            raise RemediationError(
                f"{self.name}: {key} is assigned in a way that a tool cannot change safely (line "
                f"{self.lines.get(key, '?')}). Nothing was changed; a person edits this one."
            )
        return new


class EnvFiles:
    """The folder of env files.

    Args:
        folder: where they are; nothing outside of it is ever read or written.
        lock_timeout: seconds to wait for another change in the same folder.
    """

    def __init__(self, folder: Path, *, lock_timeout: float = LOCK_TIMEOUT) -> None:
        self._folder = folder
        self._lock_timeout = lock_timeout

    @asynccontextmanager
    async def exclusively(self) -> AsyncIterator[None]:
        """Hold the folder against every other process that changes it this way.

        Raises:
            RemediationError: another change is still going on when the time to wait is over.
        """
        with self._opened() as folder:
            deadline = time.monotonic() + self._lock_timeout
            while not _lock(folder):  # held until the folder is closed, also by the end of the process
                if time.monotonic() > deadline:
                    raise RemediationError(
                        "Another change or redeploy is going on right now; nothing was changed. Wait for it to end, "
                        "then read the configuration again."
                    )
                await asyncio.sleep(0.05)
            yield

    def read(self, name: str) -> EnvFile:
        """The file called `name`.

        Raises:
            RemediationError: it is absent, no plain file, too large, or a line of it cannot be parsed.
        """
        with self._opened() as folder:
            return _parse(name, _read(folder, name))

    def replace(self, old: EnvFile, new: EnvFile) -> None:
        """Put `new` in the place of `old`, which is kept as `NAME.bak`. Call it within `exclusively`.

        Raises:
            RemediationError: the file is not `old` any more, or cannot be written; it is as it was.
        """
        with self._opened() as folder, _explained(old.name):
            _write(folder, f"{old.name}.bak", old.content, os.stat(old.name, dir_fd=folder, follow_symlinks=False))
            _swap(folder, old, new)

    def restore(self, old: EnvFile, new: EnvFile) -> None:
        """Take `replace(old, new)` back, where the file is still `new`; errors as `replace`."""
        with self._opened() as folder, _explained(old.name):
            _swap(folder, new, old)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        # Every access below is relative to this descriptor, so that no path can lead elsewhere meanwhile.
        try:
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise RemediationError(
                f"The folder of env files, {self._folder}, cannot be opened ({error.strerror}). Check SRE_ENV_DIR."
            ) from error
        try:
            yield folder
        finally:
            os.close(folder)


def _lock(folder: int) -> bool:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(folder: int, name: str) -> bytes:
    if "/" in name or name in ("", ".", ".."):
        raise RemediationError(f"{name!r} is not the name of a file.")
    with _explained(name):
        # O_NONBLOCK: a pipe in the file's place must not hold us until somebody writes to it.
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise RemediationError(f"{name} is not a plain file; it is neither read nor changed.")
            content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise RemediationError(f"{name} is larger than {MAX_BYTES >> 10} KiB; it is neither read nor changed.")
    return content


def _swap(folder: int, present: EnvFile, wanted: EnvFile) -> None:
    if _read(folder, present.name) != present.content:  # somebody with an editor takes no lock
        raise RemediationError(f"{present.name} was changed by somebody else just now; it is left as it is.")
    _write(folder, wanted.name, wanted.content, os.stat(present.name, dir_fd=folder, follow_symlinks=False))


def _write(folder: int, name: str, content: bytes, like: os.stat_result) -> None:
    """The content under this name, on disk when it returns; before that, whatever was there before.

    Mode and owner are those of `like`: the service that reads the file must still be able to.
    """
    beside = f".{name}.new"
    _remove(folder, beside)  # left by a crash; its name is fixed so that there is never more than one
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
            if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, like.st_uid, like.st_gid)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        _remove(folder, beside)
        raise
    os.fsync(folder)  # the rename itself


def _remove(folder: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise RemediationError(f"{name} cannot be used: {reason}. It is as it was.") from error


def _parse(name: str, content: bytes) -> EnvFile:
    try:
        bindings = _bindings(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RemediationError(f"{name} is not UTF-8 text; a person has to look at it.") from error
    values: dict[str, str] = {}
    lines: dict[str, int] = {}
    for binding in bindings:
        line = _line(binding)
        if binding.error:
            raise RemediationError(f"{name}, line {line}: cannot be parsed. A person has to correct it first.")
        if binding.key is None:
            continue
        if binding.key in values:
            raise RemediationError(
                f"{name}, line {line}: {binding.key} is there twice, first on line {lines[binding.key]}. "
                f"A person has to decide which one stays."
            )
        values[binding.key], lines[binding.key] = binding.value or "", line
    return EnvFile(name, content, values, lines)


def _bindings(text: str) -> list[Binding]:
    return list(parse_stream(io.StringIO(text, newline="")))


def _parts(text: str) -> list[Binding]:
    """The bindings, whose originals joined are the text; python-dotenv drops a byte order mark, which is kept here."""
    parts = _bindings(text)
    if text.startswith("\ufeff") and parts:
        first = parts[0].original
        parts[0] = parts[0]._replace(original=first._replace(string="\ufeff" + first.string))
    return parts


def _line(binding: Binding) -> int:
    """The line of the assignment itself: the parser counts blank lines before it as its own."""
    text = binding.original.string
    return binding.original.line + len(re.findall(r"\r\n|\n|\r", text[: len(text) - len(text.lstrip())]))


def _assign(part: Binding, key: str, value: str) -> str:
    original = part.original.string
    if part.key != key:
        return original
    pattern = rf"(?P<head>\ufeff?\s*(?:export[ \t]+)?{re.escape(key)}[ \t]*=[ \t]*){_VALUE}(?P<tail>{_TAIL})"
    match = re.fullmatch(pattern, original)
    return f"{match['head']}{value}{match['tail']}" if match else original
