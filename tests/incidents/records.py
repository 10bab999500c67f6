"""Records of a thread as tests need them: an incident from its page to its recovery, and parts of it."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from sre_bot.incidents.model import Approval, ApprovalState, Turn, TurnState
from sre_bot.incidents.paging import Case, Change, Incident, IncidentStatus, Snapshot, Urgency
from sre_bot.incidents.plan import Plan
from sre_bot.incidents.record import Record
from tests.incidents.pages import at, change, page

ADA = "U0ADA00001"
VERDICT = "RECOVERED: no threshold is breached any more\napi-server Error rate (5xx): 33 % → 0 %"


def turn(seconds: float, name: str, answer: str = "", took: float = 60, **facts: Any) -> Turn:
    """A turn that was asked for at a moment and answered a minute later."""
    made = Turn(
        id=uuid4(),
        thread_id=1,
        channel="C1",
        thread_ts="1.0",
        prompt_ts=name,
        author="",
        prompt="What broke?",
        state=TurnState.ANSWERED,
        created_at=at(seconds),
        started_at=at(seconds),
        ended_at=at(seconds + took),
        reason="",
        answer=answer,
        reply_ts=(),
        cost_usd=None,
        duration_ms=None,
        tool_calls=0,
        owner="",
        attempts=1,
        urgency=Urgency.HIGH,
        stop_requested=False,
    )
    return replace(made, **facts)


def approval(number: int = 1, seconds: float = 300, **facts: Any) -> Approval:
    """A change that was proposed at a moment, approved a minute later, and done ten seconds after that."""
    made = Approval(
        id=number,
        tool_use_id=f"toolu_{number}",
        session_id=UUID(int=7),
        tool="update_service_config",
        arguments={"service": "api-server", "key": "DB_POOL_SIZE", "value": "20"},
        call_hash="0" * 64,
        file_hash="0" * 16,
        state=ApprovalState.SUCCEEDED,
        proposed_at=at(seconds),
        expires_at=at(seconds + 1800),
        decided_at=at(seconds + 60),
        decided_by=ADA,
        started_at=at(seconds + 61),
        consumed_at=at(seconds + 61),
        ended_at=at(seconds + 70),
        reason="",
        outcome="CHANGED api-server.env",
        channel="C1",
        thread_ts="1.0",
        card_ts="",
        plan=Plan("Set DB_POOL_SIZE=20 for api-server, and redeploy it"),
        before={},
        verdict=VERDICT,
        applied=True,
    )
    return replace(made, **facts)


def incident(key: str = "Q1", title: str = "5xx above 5 %", **facts: Any) -> Incident:
    made = Incident(
        *(f"pd:{key}", 1, "pd", title, IncidentStatus.TRIGGERED, Urgency.HIGH, "", "api-server", "api-server"),
        *("https://x.pagerduty.com/incidents/Q1", "", (), "", at(0), at(0), None),
    )
    return replace(made, **facts)


def case(*incidents: Incident, **facts: Any) -> Case:
    made = Case(1, "C1", "1.0", at(0), at(0), None, 1, 0, 1, 0, 0, None, (), incidents or (incident(),))
    return replace(made, **facts)


def acknowledged(seconds: float = 65, who: str = "Ada Lovelace") -> Change:
    seen = Snapshot("api is slow", IncidentStatus.ACKNOWLEDGED, Urgency.HIGH, assignees=(who,))
    return change("Q1", "acknowledged", seconds, seen)


def record(**facts: Any) -> Record:
    """A page at 03:00:00, a conclusion, an approved change, and figures that have recovered at 03:08:00."""
    made = Record(
        channel="C1",
        thread_ts="1.0",
        read_at=at(600),
        case=case(),
        changes=(page("Q1", service="api-server"), acknowledged()),
        turns=(
            turn(5, "auto:1", "**Root cause:** the pool is 1.\nMore."),
            turn(480, "verdict:1", "**Verdict:** it has recovered."),
        ),
        approvals=(approval(),),
        names={ADA: "Ada Lovelace"},
    )
    return replace(made, **facts)
