"""What the playbook concludes from results that the real tools gave (kept under `observed/`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.model.conversation import read_conversation
from sandbox.model.playbook import next_turn
from sandbox.model.turn import Call, Say

from .conftest import TOOLS, assistant, call, result, user

OBSERVED = Path(__file__).parent / "observed"
UNREACHABLE = "UNREACHABLE: Prometheus at http://127.0.0.1:9090 did not answer (connection failed)."
Tools = Callable[[Call], tuple[str, bool]]


def observed(scene: str, **replaced: str) -> Tools:
    """Tools that answer what was observed in a scene, but for the replaced ones; a replaced one may fail."""

    def run(made: Call) -> tuple[str, bool]:
        tool = made.name.removeprefix("mcp__sre__")
        if tool in replaced:
            return replaced[tool], replaced[tool].startswith("UNREACHABLE")
        if tool == "query_metrics":
            tool += ".pool" if "db_connections" in made.arguments["query"] else ".errors"
        return (OBSERVED / scene / f"{tool}.txt").read_text(), False

    return run


class Thread:
    """A conversation with the playbook, and the tools it called for the last question."""

    def __init__(self, offered: list[dict[str, Any]] | None = None) -> None:
        self.messages: list[dict[str, Any]] = []
        self.offered = TOOLS if offered is None else offered
        self.called: list[str] = []
        self.made: list[Call] = []

    def ask(self, question: str, tools: Tools) -> str:
        """Return everything the playbook says until it has answered."""
        self.messages.append(user(question))
        self.called, self.made, said = [], [], []
        for _ in range(10):
            turn = next_turn(read_conversation({"messages": self.messages, "tools": self.offered}))
            said += [block.text for block in turn.blocks if isinstance(block, Say)]
            calls = [block for block in turn.blocks if isinstance(block, Call)]
            self.messages.append(
                assistant(
                    *(block.text for block in turn.blocks if isinstance(block, Say)),
                    *(call(made.id, made.name.removeprefix("mcp__sre__"), **made.arguments) for made in calls),
                )
            )
            if not calls:
                return "\n\n".join(said)
            self.made += calls
            self.called += [made.name.removeprefix("mcp__sre__") for made in calls]
            results = [(made.id, *tools(made)) for made in calls]
            self.messages.append(user(*(result(made, text, is_error=failed) for made, text, failed in results)))
        raise AssertionError("the playbook does not come to an end")


def test_the_first_reply_says_that_it_is_a_script_and_later_ones_do_not() -> None:
    thread = Thread()
    assert thread.ask("500s?", observed("broken")).startswith("_This is the scripted offline playbook, not Claude")
    assert "playbook" not in thread.ask("is it still happening?", observed("broken"))


def test_a_broken_fleet_gets_its_true_cause_with_the_figures_that_were_read() -> None:
    answer = Thread().ask("500 errors spiking on api-server", observed("broken"))
    assert "**Verdict:** CAUSE FOUND: api-server is failing because its database connection pool is exhausted" in answer
    assert "`DB_POOL_SIZE` changed 20 → 1 in the deployment at 15:49:26Z" in answer
    assert "**Confidence:** high" in answer
    assert "set `DB_POOL_SIZE=20` (now 1)" in answer
    for figure in ("46.3 %", "2660 ms", "4/4 connections in use, 377 waiting", "327 ERROR lines", "HighErrorRate"):
        assert figure in answer


def test_a_broken_fleet_is_investigated_wide_first_and_then_narrow() -> None:
    thread = Thread()
    thread.ask("500s?", observed("broken"))
    assert thread.called[:2] == ["get_service_health", "get_alerts"]
    assert sorted(thread.called[2:]) == sorted(
        ["get_logs", "get_recent_deployments", "query_metrics", "query_metrics", "execute_runbook"]
    )


def test_a_healthy_fleet_gets_nothing_is_wrong_after_a_second_look() -> None:
    thread = Thread()
    answer = thread.ask("500 errors spiking on api-server", observed("healthy"))
    assert "**Verdict:** NOTHING WRONG: nothing is wrong now" in answer
    assert "api-server OK: error rate 0 %" in answer
    assert "DB_POOL_SIZE" not in answer
    assert thread.called == ["get_service_health", "get_alerts", "query_metrics", "get_recent_deployments", "get_logs"]


def test_the_cause_follows_the_results_and_not_the_question() -> None:
    """Another service, another setting, other figures: nothing of the demo's scenario is built in."""

    def renamed(made: Call) -> tuple[str, bool]:
        text, failed = observed("broken")(made)
        for old, new in (("api-server", "ledger"), ("DB_POOL_SIZE 20 → 1", "MAX_CONNECTIONS 8 → 2"), ("46.3", "61.7")):
            text = text.replace(old, new)
        return text, failed

    answer = Thread().ask("500 errors spiking on api-server", renamed)
    assert "ledger is failing" in answer
    assert "set `MAX_CONNECTIONS=8` (now 2)" in answer
    assert "61.7 %" in answer
    assert "DB_POOL_SIZE" not in answer


def test_a_pool_without_a_change_is_named_without_a_made_up_cause() -> None:
    quiet = "NO DATA: no deployment of any service since 14:00:00Z. An earlier since may find one."
    answer = Thread().ask("500s?", observed("broken", get_recent_deployments=quiet))
    assert "pool is exhausted, and what I could read does not say why" in answer
    assert "**Confidence:** medium" in answer
    assert "DB_POOL_SIZE" not in answer


def test_a_pool_that_was_enlarged_last_is_not_blamed() -> None:
    history = (OBSERVED / "recovered" / "get_recent_deployments.txt").read_text()
    answer = Thread().ask("500s?", observed("broken", get_recent_deployments=history))
    assert "because" not in answer.split("**Impact")[0]
    assert "set `DB_POOL_SIZE" not in answer


def test_a_change_without_a_matching_symptom_is_a_suspicion_only() -> None:
    health = (
        "WARNING: 1 of 1 services breaches a threshold at 14:00:00Z\n"
        "web WARNING (Front; Web team)\n  cpu 81 % WARNING (> 70 %; critical > 90 %)\n  context: db_waiting 0"
    )
    deployed = "1 deployments of all services\nweb 13:50:00Z (10 m ago) version 2 by ci: new; THREADS 8 → 64"
    tools = observed("healthy", get_service_health=health, get_recent_deployments=deployed)
    answer = Thread().ask("slow?", tools)
    assert "the likely cause is the deployment at 13:50:00Z" in answer
    assert "**Confidence:** medium" in answer
    assert "CPU 81 %" in answer


def test_unreachable_metrics_end_inconclusive_and_without_a_cause() -> None:
    failing = {"get_service_health": UNREACHABLE, "get_alerts": UNREACHABLE}
    thread = Thread()
    answer = thread.ask("500s?", observed("broken", **failing))
    assert "**Verdict:** INCONCLUSIVE" in answer
    assert "because" not in answer
    assert "Could not see (get_service_health, get_alerts): UNREACHABLE" in answer
    assert thread.called[2:] == ["get_recent_deployments", "get_logs"]


def test_a_service_without_data_is_never_called_healthy() -> None:
    health = "NO DATA: 1 of 2 services cannot be judged\nweb OK (Front)\n  OK: up 1\ndb NO DATA (Base)\n  up NO DATA"
    answer = Thread().ask("all good?", observed("healthy", get_service_health=health))
    assert "**Verdict:** INCONCLUSIVE: there is NO DATA for db" in answer


def test_alerts_that_cannot_be_read_are_named_in_a_healthy_answer() -> None:
    answer = Thread().ask("all good?", observed("healthy", get_alerts=UNREACHABLE))
    assert "nothing is wrong in what I could read (not seen: get_alerts)" in answer
    assert "**Confidence:** medium" in answer


def test_alerts_are_read_alone_on_their_line_and_below_what_they_share() -> None:
    alone = "api-server CRITICAL firing HighErrorRate since 15:49:38Z (38 s) value 0.46; it fails; escalation #x"
    for alerts in (alone, (OBSERVED / "broken" / "get_alerts.txt").read_text()):
        answer = Thread().ask("500s?", observed("broken", get_alerts=f"1 firing, 0 pending\n{alerts}"))
        assert "HighErrorRate on api-server (critical, since 15:49:38Z)" in answer


def test_a_health_report_in_an_unknown_form_is_not_taken_for_healthy() -> None:
    answer = Thread().ask("500s?", observed("healthy", get_service_health="everything shiny"))
    assert "INCONCLUSIVE" in answer
    assert "not understood: everything shiny" in answer


def test_a_session_without_tools_looks_at_nothing_and_says_so() -> None:
    answer = Thread(offered=[]).ask("500s?", observed("healthy"))
    assert "INCONCLUSIVE: this session has no tool" in answer


@pytest.mark.parametrize(
    ("question", "figure"),
    [
        ("what was the error rate?", "api-server: error rate 46.3 %"),
        ("<@U1> what is p99?", "P99 latency 2660 ms"),
        ("how many connections?", "4/4 connections in use, 377 waiting"),
        ("what changed?", "`DB_POOL_SIZE` 20 → 1"),
        ("why?", "pool is exhausted"),
        ("what should we do?", "set `DB_POOL_SIZE=20`"),
    ],
)
def test_a_short_question_is_answered_from_what_was_read(question: str, figure: str) -> None:
    thread = Thread()
    thread.ask("500s?", observed("broken"))
    answer = thread.ask(question, observed("recovered"))
    assert figure in answer
    assert "From what I read earlier" in answer
    assert thread.called == []


def test_is_it_still_happening_reads_again_and_compares() -> None:
    thread = Thread()
    thread.ask("500s?", observed("broken"))
    answer = thread.ask("is it still happening?", observed("recovered"))
    assert thread.called == ["get_service_health", "get_alerts"]
    assert "api-server is back within its thresholds" in answer
    assert "error rate: 46.3 % before, 0 % now" in answer


def test_the_cause_is_still_known_after_a_second_reading() -> None:
    thread = Thread()
    thread.ask("500s?", observed("broken"))
    assert "api-server is still failing" in thread.ask("and now?", observed("broken"))
    assert "`DB_POOL_SIZE` changed 20 → 1" in thread.ask("why?", observed("broken"))


def test_a_failure_that_begins_later_is_investigated_in_full() -> None:
    thread = Thread()
    thread.ask("all good?", observed("healthy"))
    answer = thread.ask("and now?", observed("broken"))
    assert "`DB_POOL_SIZE` changed 20 → 1" in answer
    assert "execute_runbook" in thread.called


def test_a_recent_peak_that_is_over_is_mentioned_in_a_healthy_answer() -> None:
    answer = Thread().ask("500s?", observed("recovered"))
    assert "nothing is wrong now" in answer
    assert "api-server had an error ratio of 61.3% at 15:50:57Z; that is over" in answer


def _misled() -> Tools:
    """A release of api-server came first, and auth-svc fails for reasons of its own."""
    health = (
        "CRITICAL: 2 of 3 services breach a threshold at 14:02:00Z\n"
        "api-server CRITICAL (Main API gateway; Platform team)\n  error_rate 24.4 % CRITICAL (> 5 %)\n"
        "auth-svc CRITICAL (Sessions; Identity team)\n  error_rate 19.8 % CRITICAL (> 5 %)\n"
        "payment-svc OK (Payments; Payments team)"
    )
    ranking = (
        "CLEAR: auth-svc broke first, by the figures. A lead: verify it\n"
        "symptom: api-server errors 0 % to 24.4 % (z 20), since about 14:00:58Z\n"
        "1. auth-svc: score 1.00, explains 100%; errors 0 % to 19.8 % (z 21); path api-server > auth-svc\n"
        "cleared: api-server, payment-svc"
    )
    logs = (
        "2 patterns\n"
        "auth-svc ERROR x41 14:00:58Z-14:01:59Z session store refused the token\n"
        "auth-svc ERROR x7 14:00:59Z-14:01:58Z batch job reports-nightly, ticket KX-1234"
    )
    deployed = (
        "1 deployments of all services\napi-server 14:00:10Z (2 m ago) version 9 by linus: texts; APP_VERSION 1 → 2"
    )
    return observed(
        "healthy",
        get_service_health=health,
        rank_suspects=ranking,
        get_logs=logs,
        get_recent_deployments=deployed,
        get_alerts="no alert",
        execute_runbook="nothing",
    )


RANKS: list[dict[str, Any]] = [
    *TOOLS,
    {"name": "mcp__sre__rank_suspects", "description": "", "input_schema": {"type": "object"}},
]


def test_a_release_is_not_blamed_where_another_service_broke_first() -> None:
    thread = Thread(RANKS)
    answer = thread.ask("500 errors spiking on api-server", _misled())
    verdict = answer.partition("**Impact")[0].partition("**Verdict:** ")[2]
    assert verdict.startswith("INCONCLUSIVE: auth-svc is failing; by the ranking it broke first")
    assert "APP_VERSION" not in verdict
    assert "Broke first: auth-svc, score 1.00, explains 100%" in answer
    assert "KX-1234" in answer, "what its log says besides is told too"
    assert "**Next step:** ask the owner of auth-svc" in answer
    assert thread.called.index("rank_suspects") == 2, "right after what is always looked at"
    (logs,) = [made for made in thread.made if made.name.endswith("get_logs")]
    assert logs.arguments["service"] == "auth-svc"


def test_a_ranking_of_what_is_over_or_usual_leads_nowhere() -> None:
    for said in ("NOT SIGNIFICANT: no symptom beyond what is usual; weak lead: auth-svc", "NO DATA: nothing"):
        answer = Thread(RANKS).ask("500s?", observed("broken", rank_suspects=said))
        assert "CAUSE FOUND: api-server is failing because its database connection pool is exhausted" in answer
        assert "Broke first:" not in answer
    over = (
        "CLEAR: auth-svc broke first\nsymptom: api-server errors 0 % to 9 %, back to usual by now\n1. auth-svc: score 1"
    )
    assert "Broke first:" not in Thread(RANKS).ask("500s?", observed("broken", rank_suspects=over))
