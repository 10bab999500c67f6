"""A request that is not accepted, and how its sender is told."""

from aiohttp import web


class TurnedAway(Exception):
    """Not accepted, and not recorded.

    Args:
        status: chosen for what the sender does on it: PagerDuty and Alertmanager repeat on a 5xx and give up on a 4xx
            (PagerDuty repeats on a 429, too).
        outcome: one word for the metric.
        sentence: told to the sender, who may be anybody.
        retry_after: seconds.
        cause: what only the log may say.
    """

    def __init__(
        self, status: int, outcome: str, sentence: str, *, retry_after: int | None = None, cause: str = ""
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.outcome = outcome
        self.retry_after = retry_after
        self.cause = cause

    def response(self) -> web.Response:
        """The answer. The connection ends where a body may still be on its way."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        answer = web.json_response({"error": str(self)}, status=self.status, headers=headers)
        if self.status in (408, 413):
            answer.force_close()
        return answer
