"""Times and durations as people, models and Prometheus write them, read into seconds and written in UTC."""

import re
from datetime import UTC, datetime, time, timedelta

from sre_bot.errors import BadRequest

ACCEPTED = "now, now-1h, -30m, 30m (ago), 14:05Z, RFC 3339, or Unix seconds or milliseconds"

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|[smhdw])")
_OLDEST = 978_307_200.0  # 2001: smaller numbers are no Unix time that anyone means
_MILLISECONDS = 100_000_000_000.0  # above this, Unix seconds would lie beyond the year 5000
_SKEW = 60.0  # seconds that another clock may be ahead


def parse_moment(text: str, now: float) -> float:
    """Seconds since the epoch; a time without zone is UTC.

    Raises:
        BadRequest: not a time, or later than now.
    """
    moment = _read(text.strip(), now)
    if moment is None:
        raise BadRequest(f"{text[:60]!r} is not a time. Accepted: {ACCEPTED}.")
    if moment > now + _SKEW:
        raise BadRequest(f"{text[:60]!r} lies in the future; it is {clock(now)} now. Accepted: {ACCEPTED}.")
    return max(0.0, min(moment, now))


def parse_duration(text: str) -> float:
    """Seconds of `90`, `90s`, `15m` or `1h30m`.

    Raises:
        BadRequest: not a duration above zero.
    """
    seconds = _duration(text.strip())
    if seconds is None:
        seconds = _number(text.strip())
    if not seconds:
        raise BadRequest(f"{text[:60]!r} is not a duration. Accepted: 15s, 1m, 1h30m, or seconds.")
    return seconds


def clock(moment: float, now: float | None = None) -> str:
    """`14:05:12Z`; with the date where it is a day or more from `now`, for then the time alone says too little."""
    recent = now is None or abs(now - moment) < _SECONDS["d"]
    return datetime.fromtimestamp(moment, UTC).strftime("%H:%M:%SZ" if recent else "%Y-%m-%d %H:%M:%SZ")


def span(seconds: float) -> str:
    """A duration in its two largest units: `45 s`, `4 m`, `1 h 30 m`, `2 d`."""
    seconds = round(seconds) if seconds >= 1 else seconds
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds else "0 s"
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, seconds = divmod(seconds, _SECONDS[unit])
        if count:
            parts.append(f"{count:.0f} {unit}")
        elif parts:
            break
    return " ".join(parts[:2])


def _read(text: str, now: float) -> float | None:
    relative = text.lower().replace(" ", "").removeprefix("now")
    if not relative:
        return now if text else None
    duration = _duration(relative.removeprefix("-"))
    if duration is not None:
        return now - duration
    number = _number(text)
    if number is not None:
        seconds = number / 1000 if number >= _MILLISECONDS else number
        return seconds if seconds >= _OLDEST else None
    return _time_of_day(text, now) or _date(text)


def _duration(text: str) -> float | None:
    if not re.fullmatch(f"(?:{_DURATION.pattern})+", text):
        return None
    return sum(float(count) * _SECONDS[unit] for count, unit in _DURATION.findall(text))


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[0-9]{1,16}(\.[0-9]{1,9})?", text) else None


def _time_of_day(text: str, now: float) -> float | None:
    """The last time that it was `14:05Z`."""
    try:
        of_day = time.fromisoformat(text.upper())
    except ValueError:
        return None
    today = datetime.fromtimestamp(now, UTC)
    when = datetime.combine(today.date(), of_day, of_day.tzinfo or UTC)
    return (when if when <= today else when - timedelta(days=1)).timestamp()


def _date(text: str) -> float | None:
    try:
        when = datetime.fromisoformat(text.upper())
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
