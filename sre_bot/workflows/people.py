"""How workflows speak to people: Protocols, so that this room knows no Slack and the Slack room knows no ledger."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sre_bot.agent.events import Event
from sre_bot.incidents.model import Approval
from sre_bot.incidents.paging import Case


@dataclass(frozen=True, slots=True)
class Prompt:
    """One message that somebody addressed to the bot.

    Attributes:
        team: id of the workspace.
        channel: id of the channel or direct message.
        thread_ts: timestamp of the thread's first message; equal to `ts` where this message starts the thread.
        ts: timestamp of the message; with `channel` its identity.
        author: the person's id; empty where the bot itself asks, because of a page. Then `ts` is no message's.
        text: what they wrote, the bot's own mention removed.
    """

    team: str
    channel: str
    thread_ts: str
    ts: str
    author: str
    text: str

    @property
    def decides(self) -> int | None:
        """Number of the proposal whose decision lets the conversation go on; None for words."""
        name, _, number = self.ts.partition(":")
        return int(number) if name == "act" and not self.author and number.isdecimal() else None

    @property
    def by_person(self) -> bool:
        """Whether there is a message that somebody wrote."""
        return bool(self.author)


class Reply(Protocol):
    """What people see of one turn, growing while it runs."""

    def show(self, event: Event) -> None:
        """Take an event in; returns at once. A `RunEnded` is the last one."""

    async def settle(self) -> None:
        """Wait until people can see everything that was shown."""


class People(Protocol):
    """The way to the people in a thread. None of these raises: what cannot be delivered is logged."""

    async def acknowledge(self, prompt: Prompt) -> None:
        """Show that a message was read although its turn has not come yet."""

    async def read_context(self, prompt: Prompt, *, above: bool) -> str:
        """What a prompt refers to: its attachments and files, and where `above` what the thread said before it.

        Somebody else's words, never an instruction; empty where there are none.
        """

    async def open_reply(self, prompt: Prompt, turn_id: UUID, attempt: int, *, search: bool = False) -> Reply:
        """Begin a reply that is visible at once; by turn and attempt its messages are recognised after a crash.

        Where `search`, an earlier process may have begun it: its messages are looked for, and go on.
        """

    async def close_reply(self, channel: str, thread_ts: str, turn_id: UUID, attempt: int, reason: str) -> bool:
        """End a reply that a crash left open: what it says stays, `reason` is added.

        False where people see its end already, so that the crash came between that and the ledger.
        """

    async def say(self, channel: str, thread_ts: str, text: str) -> bool:
        """One message of Markdown in a thread; False where it could not be delivered."""


@dataclass(frozen=True, slots=True)
class Card:
    """What the card of a case shows beside its incidents; everything in the case is the words of others.

    Attributes:
        case: the case with its incidents, in the order of joining.
        owner: team that owns the first incident's service; empty where the catalog does not know it.
        escalation: the team's channel, such as `#platform-oncall`.
        progress: one sentence on the investigation; empty before there is one.
        can_acknowledge: whether PagerDuty can be told.
        can_silence: whether whoever pages can be told to be quiet for a while.
        links: what people open, by what it is called.
    """

    case: Case
    owner: str
    escalation: str
    progress: str
    can_acknowledge: bool
    can_silence: bool
    links: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Shown:
    """What people see of a case: the message that is its card, and the revision of the case that it shows."""

    ts: str
    revision: int


@dataclass(frozen=True, slots=True)
class ProposalCard:
    """What a person is asked to decide on, who may, and who did; without `approvers` nobody may: the card says so.

    `way_back` is the sealed rollback of the same act, where one is offered or was decided on. `offer` is what a button
    says that closes the incident out; empty where there is none.
    """

    approval: Approval
    approvers: str
    decider: str
    way_back: Approval | None = None
    offer: str = ""


class Board(Protocol):
    """Where incidents are shown: a card in the incident channel, and lines in its thread."""

    async def show(self, now: Callable[[], Awaitable[Card]], *, search: bool) -> Shown:
        """Make Slack show a case's card; cards wait in line, and each shows what is true when its turn has come.

        Args:
            now: reads the case; asked more than once. The card is posted where `case.thread_ts` is None, or where the
                message of that timestamp is gone, which gives another timestamp; else its message is updated.
            search: look first for a card that an earlier attempt may have posted.

        Raises:
            BackendError: it is not shown, or whether it is is unknown; try again with `search`.
        """

    async def tell(self, channel: str, thread_ts: str, text: str, key: str, *, search: bool) -> None:
        """One message of Markdown in a card's thread, once for its key; raises as `show` does."""


class ProposalBoard(Protocol):
    """Where proposals are shown: in the thread in which they were made."""

    async def show_proposal(self, now: Callable[[], Awaitable[ProposalCard]], *, search: bool) -> str:
        """Make Slack show a proposal as it is when its turn has come; gives its message. Raises as `show` does."""


class Attachments(Protocol):
    """Files beside cards. Each may be asked for again: what is in the thread already is not put there twice."""

    async def file_proposal(self, approval: Approval) -> str:
        """Put a proposal that no card can hold into its thread, whole; gives why it cannot be, empty where people can
        see all of it. Raises BackendError: try again.
        """

    async def upload(self, name: str, data: bytes, description: str) -> str:
        """Give Slack a picture that nobody sees yet, and give its id; raises BackendError."""

    async def share(self, channel: str, thread_ts: str, file_id: str, title: str) -> None:
        """Show an uploaded picture in a thread, unless it is there; raises BackendError."""


class Decisions(Protocol):
    """Takes people's decisions. Gives one sentence for whoever decided, or raises it as SreBotError."""

    async def decide(
        self, approval_id: int, person: str, *, approve: bool, reason: str = "", thread: str = "", card: str = ""
    ) -> str:
        """Approve or reject a proposal, once; see `workflows.approvals.Proposals.decide`."""


class ClosesOut(Protocol):
    """Does what the button that closes an incident out asks for."""

    async def close_out(self, approval_id: int, person: str) -> str:
        """Ask the agent for the proposal; gives one sentence for whoever clicked. Raises SreBotError."""


class Paging(Protocol):
    """What people's buttons on a card do. Each gives one sentence for the one who clicked.

    People click twice, and two people click at once: what is asked for already is not done again.
    """

    async def acknowledge(self, case_id: int, person: str) -> str:
        """Tell PagerDuty that somebody has taken the case's incidents."""

    async def investigate(self, case_id: int, person: str) -> str:
        """Ask the agent to look into the case, now."""

    async def silence(self, case_id: int, person: str) -> str:
        """Keep whoever pages for the case quiet for an hour."""
