"""Every error that the product raises on purpose; nothing else crosses a layer.

Each message is written for the person (or the model) who reads it: what failed, what it means, what to do.

    SreBotError
    ├── SettingsError          the environment is incomplete or wrong; lists every problem at once
    ├── CatalogError           a file under config/ is wrong; names file, line and key
    ├── LedgerError            the database is locked, full, away or damaged; IllegalMove: a turn ended already
    ├── LeaseLost              other replicas took this process for dead and have its work
    ├── BackendError           a system that we call
    │   ├── NotConfigured      its settings are absent, so it was never asked
    │   ├── Unreachable        no answer: connection refused, DNS, timeout
    │   ├── Refused            it answered with an error; its own words are kept
    │   ├── RateLimited        it asked us to come back later; `retry_after` in seconds
    │   └── TooLarge           its answer is larger than we read
    ├── RemediationError       a change could not be made; says what was done and what stands now
    ├── NotApproved            a change without the one approval that fits it; nothing was executed
    ├── BadRequest             the caller's arguments cannot be used; says which values can
    └── AgentError             the conversation with the model could not be held
        ├── ToolsUnavailable   the MCP server did not connect: no run without tools
        ├── SessionLost        a stored session cannot be resumed
        └── AgentBusy          every place for a running session is taken
"""


class SreBotError(Exception):
    """Base of the tree: `str(error)` may be shown to a person as it is."""


class SettingsError(SreBotError):
    """The environment is incomplete or contradicts itself."""


class CatalogError(SreBotError):
    """A configuration file cannot be used."""


class LedgerError(SreBotError):
    """The ledger could not be read or written; nothing is half-recorded."""


class LeaseLost(SreBotError):
    """Other replicas took this process for dead: it must end, and may begin anew."""


class BackendError(SreBotError):
    """A system that we call did not give a usable answer."""


class NotConfigured(BackendError):
    """The system's settings are absent."""


class Unreachable(BackendError):
    """The system did not answer at all; its state is unknown, which is not the same as healthy."""


class Refused(BackendError):
    """The system answered with an error.

    Args:
        message: what failed and what to do, with the system's own words in it.
        status: the HTTP status of the answer.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class RateLimited(BackendError):
    """The system asked us to slow down.

    Args:
        message: what failed and what to do.
        retry_after: seconds to wait, as the system said; None where it said nothing.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TooLarge(BackendError):
    """The system answered with more than we read; a narrower question is needed."""


class RemediationError(SreBotError):
    """A setting could not be read or changed, or a service not redeployed; the message says what stands now."""


class NotApproved(SreBotError):
    """A change was called without the approval that fits exactly this call; nothing was executed."""


class BadRequest(SreBotError):
    """Arguments that cannot be used; the message says which can."""


class AgentError(SreBotError):
    """The conversation with the model could not be held."""


class ToolsUnavailable(AgentError):
    """The MCP server is not connected; an answer without tools would be a guess."""


class SessionLost(AgentError):
    """The stored conversation of a thread cannot be resumed."""


class AgentBusy(AgentError):
    """No place is free for another running session."""
