"""Points in time as the routes take and give them."""

import math
import re
import time
from datetime import UTC, datetime

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_since(text: str) -> float:
    """Unix seconds of an RFC 3339 time, of Unix seconds, or of an age such as 5m. Raises ValueError."""
    if match := re.fullmatch(r"(\d{1,9})([smhd])", text):
        return time.time() - int(match[1]) * _UNITS[match[2]]
    try:
        return _unix_seconds(text)
    except (ValueError, OverflowError):
        raise ValueError(
            f"since={text[:40]!r} is neither an RFC 3339 time with its offset, nor Unix seconds, nor an age like 5m"
        ) from None


def format_time(moment: float) -> str:
    """RFC 3339 in UTC with milliseconds, such as 2026-01-31T09:30:00.000Z."""
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _unix_seconds(text: str) -> float:
    try:
        moment = float(text)
    except ValueError:
        parsed = datetime.fromisoformat(text)
        if parsed.tzinfo is None:
            raise ValueError("no offset") from None
        return parsed.timestamp()
    if not math.isfinite(moment):
        raise ValueError("not a moment")
    return moment
