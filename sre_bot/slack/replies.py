"""Which writer shows a reply: Slack's native streaming, or messages that are edited.

In a direct message the one person there sees a stream grow. In a channel its recipient alone does, and the others see
its beginning until it ends, so that there an edited message is the default: everybody can watch.
"""

from sre_bot.settings import StreamMode
from sre_bot.slack.files import Files
from sre_bot.slack.following import Following, Spot
from sre_bot.slack.outbox import Outbox
from sre_bot.slack.status import StatusLine
from sre_bot.slack.streamed import Stop, StreamedReply
from sre_bot.slack.streams import Recipient, Streams
from sre_bot.slack.writer import LiveReply
from sre_bot.workflows.people import Prompt

DIRECT = "D"
"""What the ids of direct messages begin with."""


class Replies:
    """Begins replies.

    Args:
        outbox: the way to Slack.
        files: where long answers go.
        streams: the workspace's streams.
        mode: `auto` streams in direct messages, `native` wherever there is somebody to stream to, `edit` nowhere.
        status: the line below a direct message that is being answered; None where none is shown.
    """

    def __init__(
        self, outbox: Outbox, files: Files, streams: Streams, mode: StreamMode, status: StatusLine | None = None
    ) -> None:
        self._outbox = outbox
        self._files = files
        self.streams = streams
        self._mode = mode
        self._status = status
        self.stop: Stop | None = None  # ends the run in a thread; known once there is who runs them

    def begin(self, prompt: Prompt, spot: Spot) -> Following:
        """A reply that is on its way to be visible when this returns."""
        reply = self._begin(prompt, spot)
        if self._status and spot.channel.startswith(DIRECT):
            self._status.keep(spot.channel, spot.thread_ts, reply.writing)
        return reply

    def _begin(self, prompt: Prompt, spot: Spot) -> Following:
        if not self._is_streamed(prompt):
            return LiveReply(self._outbox, self._files, spot)
        recipient = Recipient(prompt.author, prompt.team)
        return StreamedReply(self._outbox, self._files, self.streams, spot, recipient, self._stop, prompt.ts)

    def _is_streamed(self, prompt: Prompt) -> bool:
        if self._mode == "edit" or not (prompt.by_person and prompt.team):
            return False
        return self._mode == "native" or prompt.channel.startswith(DIRECT)

    async def _stop(self, channel: str, thread_ts: str) -> None:
        if self.stop:
            await self.stop(channel, thread_ts)
