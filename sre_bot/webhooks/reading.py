"""Reading JSON that anybody may have written: nothing in it is taken to be there, or of its type, or of a sane size.

Text that leaves here is bounded and storable: no NUL, which PostgreSQL refuses, and no half of a surrogate pair, which
no encoding takes. What looks like a secret in it is masked: it would be stored, and shown in a channel.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sre_bot.tools.masking import mask_secrets

TITLE_LIMIT = 300
WORD_LIMIT = 200
DETAILS_LIMIT = 2_000
URL_LIMIT = 1_000

OLDEST = timedelta(days=7)
"""PagerDuty repeats a delivery for 48 hours; what is much older is a replay or a mistake, and no news."""
AHEAD = timedelta(days=1)

_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_URL = re.compile(rf"https?://[!-~]{{1,{URL_LIMIT}}}")


class Unreadable(Exception):
    """A body that is not what it should be; says what it should."""


def read_object(body: bytes) -> Mapping[str, Any]:
    """Parse a JSON object.

    Raises:
        Unreadable: it is none, or nested deeper than Python can follow.
    """
    try:
        parsed = json.loads(body.decode())
    except (ValueError, RecursionError):
        raise Unreadable("The body is not JSON in UTF-8.") from None
    if not isinstance(parsed, dict):
        raise Unreadable("The body is not a JSON object.")
    return parsed


def mapping(value: object) -> Mapping[str, Any]:
    """An object; an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def listed(value: object) -> list[Any]:
    """A list; an empty one in place of anything else."""
    return value if isinstance(value, list) else []


def text(value: object, limit: int = WORD_LIMIT) -> str:
    """A text of at most `limit` characters on one line; empty in place of anything else."""
    if not isinstance(value, str):
        return ""
    line = " ".join(storable(_CONTROL.sub(" ", mask_secrets(value[: 4 * limit]))).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def storable(value: str) -> str:
    """The same text, with what a database refuses replaced."""
    return value.replace("\x00", "?").encode(errors="replace").decode()


def identifier(value: object) -> str:
    """An id as our senders write them, to be part of a key; empty in place of anything else."""
    return value if isinstance(value, str) and _IDENTIFIER.fullmatch(value) else ""


def link(value: object) -> str:
    """An address for a browser; empty in place of anything else."""
    return value if isinstance(value, str) and _URL.fullmatch(value) else ""


def moment(value: object) -> datetime | None:
    """A time of ISO 8601 in UTC, which is also assumed where it names no zone; None in place of anything else."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def is_news(occurred: datetime, now: datetime) -> bool:
    """Whether something that happened then is worth anybody's attention now."""
    return now - OLDEST <= occurred <= now + AHEAD
