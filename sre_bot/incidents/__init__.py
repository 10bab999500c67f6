"""What must not be lost: conversations, their turns and transcripts, and approvals, in one SQL database.

This room only stores. It refuses to decide (workflows do), to speak to anybody (Slack and the agent do) and to move a
row against its legal moves; every failure of the database leaves it as one `LedgerError` with a sentence on what to do.
"""

from sre_bot.incidents.approvals import Approvals, hash_call
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import (
    Approval,
    ApprovalState,
    IllegalMove,
    Proposal,
    Pruned,
    Thread,
    Turn,
    TurnEnd,
    TurnState,
)
from sre_bot.incidents.transcripts import TranscriptStore

__all__ = [
    "Approval",
    "ApprovalState",
    "Approvals",
    "IllegalMove",
    "Ledger",
    "Proposal",
    "Pruned",
    "Thread",
    "TranscriptStore",
    "Turn",
    "TurnEnd",
    "TurnState",
    "hash_call",
]
