"""What is going on, from the ledger; and what one may want to ask, from what monitoring says."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sre_bot.catalog import Severity
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import ApprovalState, Proposal, TurnEnd, TurnState
from sre_bot.settings.bot import IncidentSettings
from sre_bot.workflows.overview import ALWAYS, MOST_PROMPTS, Overviews, suggest
from sre_bot.workflows.vigil import Firing, Outlook, ServiceState, Vigil
from tests.incidents.pages import deliver, fold, page, resolution

from .test_vigil import CATALOG, figures


def looks(ledger: Ledger) -> Overviews:
    return Overviews(ledger, Vigil(CATALOG, figures(), {}), IncidentSettings.model_validate({}))


async def asked(ledger: Ledger, thread_ts: str, number: int = 1, *, cost: float | None = None) -> None:
    """A question in a thread; answered at a cost where there is one, else it runs."""
    thread = await ledger.thread("C1", thread_ts, team="T1", started_by="U1")
    turn = await ledger.queue_turn(
        thread.id, turn_id=uuid4(), prompt_ts=f"{thread_ts}{number}", author="U1", prompt=f"question {number}"
    )
    await ledger.start_turn(turn.id)
    if cost is not None:
        await ledger.end_turn(turn.id, TurnEnd(TurnState.ANSWERED, answer="The pool.", cost_usd=cost))


async def proposed(ledger: Ledger, call: str, *, seconds: float = 600, shown: bool = True) -> None:
    expires = datetime.now(UTC) + timedelta(seconds=seconds)
    await ledger.approvals.propose(Proposal(call, uuid4(), "redeploy_service", {}, expires, None, "C1", "1.0"))
    if shown:
        await ledger.approvals.move(call, ApprovalState.PENDING)


async def test_a_look_has_what_is_open_what_runs_what_waits_and_what_it_cost(ledger: Ledger) -> None:
    await deliver(ledger, page("P1"), page("P2", 1, "auth"), page("P3", 2, "payments"), resolution("P2", 60))
    await fold(ledger)
    await asked(ledger, "1.0", 1)
    await asked(ledger, "1.0", 2)  # taken in by the same run
    await asked(ledger, "2.0", cost=1.25)
    await proposed(ledger, "one")
    await proposed(ledger, "over", seconds=-1)
    await proposed(ledger, "hidden", shown=False)

    seen = await looks(ledger).look()

    assert [case.first.key for case in seen.cases] == ["pd:P3", "pd:P1"], "the newest first"
    assert seen.cases_open == 2
    assert [turn.prompt for turn in seen.runs] == ["question 1"], "one investigation of each thread"
    assert [approval.tool_use_id for approval in seen.waiting] == ["one"]
    assert [(each.spent, each.budget) for each in seen.spending] == [(1.25, 20.0), (1.25, 100.0)]


def service(name: str, severity: Severity) -> ServiceState:
    return ServiceState(name, severity, ("Error rate",))


def test_prompts_ask_about_what_is_wrong_first() -> None:
    states = (service("api-server", Severity.CRITICAL), service("auth-svc", Severity.WARNING))
    alerts = (Firing("HighErrorRate", "api-server"), Firing("DiskFull", "postgres"))
    prompts = suggest(Outlook(states, alerts, {}))
    assert [prompt.title for prompt in prompts] == [
        "Why is api-server failing?",
        "Why is auth-svc failing?",
        "What does DiskFull mean?",
        "How are the services?",
    ]
    assert "postgres" in prompts[2].message


def test_prompts_are_the_usual_ones_where_nothing_is_wrong_and_never_too_many() -> None:
    assert suggest(Outlook((service("api-server", Severity.OK), service("db", Severity.NO_DATA)), (), {})) == [*ALWAYS]
    many = tuple(service(f"s{number}", Severity.CRITICAL) for number in range(9))
    assert len(suggest(Outlook(many, tuple(Firing(f"A{n}", "") for n in range(9)), {}))) == MOST_PROMPTS
