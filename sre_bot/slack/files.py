"""Long material as a file in a thread, shared once even when the answer to the sharing is lost."""

import hashlib
from collections.abc import Awaitable

from slack_sdk.errors import SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from sre_bot.errors import Unreachable
from sre_bot.slack.outbox import Outbox, answer


class Files:
    """Shares files in threads. Needs the scope `files:write`.

    Args:
        client: the Web API; its retry handlers must not repeat a call whose answer was lost.
        outbox: reads a thread, to find what an earlier attempt shared.
    """

    def __init__(self, client: AsyncWebClient, outbox: Outbox) -> None:
        self._client = client
        self._outbox = outbox
        self._uncertain: set[str] = set()

    async def share(
        self,
        channel: str,
        thread_ts: str,
        name: str,
        title: str,
        text: str,
        comment: str = "",
        *,
        search: bool = False,
    ) -> None:
        """Put a text into a thread as a file; may be repeated with the same name.

        Args:
            channel: id of the channel.
            thread_ts: timestamp of the thread's first message.
            name: of the file, different from every other in the thread; an earlier attempt is found by it.
            title: what people read above it.
            text: its content. Slack does not look for mentions in a file, so it goes as it is.
            comment: the message that carries it, defused.
            search: look for an earlier attempt although this process knows of none that is in doubt.

        Raises:
            SlackRefused: it will not be taken.
            Unreachable, RateLimited: try again.
        """
        if (search or name in self._uncertain) and await self._is_there(channel, thread_ts, name):
            self._uncertain.discard(name)
            return
        call = self._client.files_upload_v2(
            channel=channel,
            thread_ts=thread_ts,
            filename=name,
            title=title,
            content=text,
            initial_comment=comment or None,
        )
        try:
            await answer(_upload(call))
        except Unreachable:
            self._uncertain.add(name)
            raise

    async def _is_there(self, channel: str, thread_ts: str, name: str) -> bool:
        messages = await self._outbox.messages(channel, thread_ts)
        return any(file.get("name") == name for message in messages for file in message.get("files", ()))


async def _upload(call: Awaitable[AsyncSlackResponse]) -> AsyncSlackResponse:
    """The SDK's upload, whose second step is no call of the Web API and fails in its own way."""
    try:
        return await call
    except SlackRequestError as error:
        raise Unreachable(f"Slack did not take a file ({error}).") from error


def name_for(key: str) -> str:
    """The name of the file that belongs to a reply."""
    return f"answer-{hashlib.sha256(key.encode()).hexdigest()[:8]}.md"
