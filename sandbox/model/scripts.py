"""Exact turns that a test enqueues for one conversation, in place of the playbook."""

from __future__ import annotations

from collections import deque
from typing import Any

from .turn import Turn, turn_from_script


class Scripts:
    """Queues of turns by marker: a string that the conversation contains, so that parallel ones stay apart."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Turn]] = {}
        self._standing: dict[str, Turn] = {}
        self._obedient: set[str] = set()

    def add(self, order: dict[str, Any]) -> None:
        """Enqueue `{"marker": str, "turns": [turn, …]}`; a turn as in `turn_from_script`. Raises ValueError.

        With `"always": turn` in place of the turns it is what is said whenever nothing is enqueued. With `"obey": true`
        the conversation is one with the obedient model as soon as nothing is enqueued, whatever else stands.
        """
        marker, turns = order.get("marker"), order.get("turns")
        if isinstance(marker, str) and marker and "always" in order:
            self._standing[marker] = turn_from_script(order["always"])
            return
        if isinstance(marker, str) and marker and order.get("obey") is True:
            self._obedient.add(marker)
            return
        if not isinstance(marker, str) or not marker or not isinstance(turns, list):
            raise ValueError('a script is {"marker": "text in the conversation", "turns": [turn, …]}')
        self._queues.setdefault(marker, deque()).extend([turn_from_script(turn) for turn in turns])

    def clear(self) -> None:
        """Forget all scripts."""
        self._queues.clear()
        self._standing.clear()
        self._obedient.clear()

    def obeys(self, conversation: str) -> bool:
        """Tell whether this conversation is with the obedient model, and nothing is enqueued for it."""
        return not self._queue(conversation) and any(marker in conversation for marker in self._obedient)

    def peek(self, conversation: str) -> Turn | None:
        """Return the turn that is next for this conversation, and leave it in the queue."""
        queue = self._queue(conversation)
        if queue:
            return queue[0]
        return next((turn for marker, turn in self._standing.items() if marker in conversation), None)

    def advance(self, conversation: str) -> None:
        """Drop the turn that was just delivered."""
        if queue := self._queue(conversation):
            queue.popleft()

    def _queue(self, conversation: str) -> deque[Turn] | None:
        return next((queue for marker, queue in self._queues.items() if queue and marker in conversation), None)
