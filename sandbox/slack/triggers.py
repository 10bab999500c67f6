"""trigger_ids: what lets an app open a modal for a person who just acted."""

from __future__ import annotations

import secrets
import time

LIVES = 3.0  # seconds; Slack: expired_trigger_id


class Untriggered(Exception):
    """The trigger_id is of no use; the message is Slack's error code."""


class Triggers:
    """trigger_ids: each opens one modal, within three seconds."""

    def __init__(self) -> None:
        self.lives = LIVES
        self._issued: dict[str, tuple[str, float]] = {}
        self._used: set[str] = set()

    def issue(self, user: str) -> str:
        """A new trigger_id for a person who just acted."""
        trigger = f"{secrets.randbelow(10**12)}.{secrets.token_hex(8)}"
        self._issued[trigger] = (user, time.monotonic() + self.lives)
        return trigger

    def use(self, trigger: str) -> str:
        """Use it up; returns the person."""
        if trigger in self._used:
            raise Untriggered("exchanged_trigger_id")
        if trigger not in self._issued:
            raise Untriggered("invalid_trigger_id")
        user, until = self._issued.pop(trigger)
        if time.monotonic() > until:
            raise Untriggered("expired_trigger_id")
        self._used.add(trigger)
        return user
