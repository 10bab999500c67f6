"""Reads a service's environment file the way a deploy does: once, and all or nothing.

Refuses a line that does not parse and a value outside its range, naming every fault at once, so that
a bad edit stops at the deploy and the running version goes on.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv.parser import parse_stream

DEFAULTS = {"DB_POOL_TIMEOUT": "2.5", "DB_QUERY_MS": "60", "APP_VERSION": "2.14.0"}


class DeployError(Exception):
    """The environment cannot be deployed; the message is a sentence for the person who edited it."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What one service was deployed with."""

    pool_size: int
    """Connections per worker."""
    pool_timeout_s: float
    query_ms: float
    """Mean duration of the main query on an idle database."""
    version: str
    values: Mapping[str, str]
    """The settings as written, for the record of deployments. Keys unknown to the fleet are left
    out: nobody asked them to be published."""


def read_environment(path: Path) -> Environment:
    """Parse the file at `path`. Raises DeployError for an unreadable file, line or value.

    python-dotenv's `dotenv_values` only logs a warning for a line that it cannot parse, and the
    setting on it would fall back in silence; so this uses the parser underneath, which says so.
    """
    try:
        with path.open(encoding="utf-8-sig") as stream:
            bindings = list(parse_stream(stream))
    except (OSError, UnicodeDecodeError) as error:
        raise DeployError(f"Cannot read {path.name}: {_reason(error)}.") from error
    for binding in bindings:
        if binding.error:
            text = binding.original.string.strip()[:60]
            raise DeployError(f"{path.name}, line {binding.original.line}: cannot parse {text!r}.")
    written = {binding.key: binding.value or "" for binding in bindings if binding.key}
    try:
        return parse_environment(written)
    except DeployError as error:
        raise DeployError(f"{path.name}: {error}") from None


def parse_environment(written: Mapping[str, str]) -> Environment:
    """Check the settings in `written`. Raises DeployError that lists every fault."""
    values = DEFAULTS | {key: value.strip() for key, value in written.items() if key in _CHECKS}
    faults = [fault for key, check in _CHECKS.items() if (fault := check(key, values.get(key)))]
    if faults:
        raise DeployError("; ".join(faults) + ".")
    return Environment(
        pool_size=int(values["DB_POOL_SIZE"]),
        pool_timeout_s=float(values["DB_POOL_TIMEOUT"]),
        query_ms=float(values["DB_QUERY_MS"]),
        version=values["APP_VERSION"],
        values=values,
    )


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, dict[str, str | None]]:
    """The settings that differ, as {key: {"from": old, "to": new}}."""
    keys = sorted(before.keys() | after.keys())
    return {key: {"from": before.get(key), "to": after.get(key)} for key in keys if before.get(key) != after.get(key)}


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror or "unreadable"


def _whole(low: int, high: int) -> Callable[[str, str | None], str]:
    def check(key: str, value: str | None) -> str:
        if value is None:
            return f"{key} is missing"
        if re.fullmatch(r"[0-9]{1,9}", value) and low <= int(value) <= high:
            return ""
        return f"{key} must be a whole number from {low} to {high}, not {value[:40]!r}"

    return check


def _decimal(low: float, high: float, unit: str) -> Callable[[str, str | None], str]:
    def check(key: str, value: str | None) -> str:
        try:
            number = float(value or "")
        except ValueError:
            number = math.nan
        if low <= number <= high:
            return ""
        return f"{key} must be {low:g} to {high:g} {unit}, not {(value or '')[:40]!r}"

    return check


def _version(key: str, value: str | None) -> str:
    if re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z._+-]{0,63}", value or ""):
        return ""
    return f"{key} must be a version such as 2.14.0, not {(value or '')[:40]!r}"


_CHECKS: dict[str, Callable[[str, str | None], str]] = {
    "DB_POOL_SIZE": _whole(1, 1000),
    "DB_POOL_TIMEOUT": _decimal(0.1, 60, "seconds"),
    "DB_QUERY_MS": _decimal(1, 60_000, "milliseconds"),
    "APP_VERSION": _version,
}
