"""The playbook's reports cite the ids that results carry, and every claim of theirs is borne out by what they cite."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.model.conversation import read_conversation
from sandbox.model.playbook import next_turn
from sandbox.model.turn import Call, Say
from sre_bot.evidence.examiner import Assessment, Examiner
from sre_bot.evidence.exhibit import Exhibit
from sre_bot.evidence.report import Verdict

from .conftest import TOOLS, assistant, call, result, user
from .test_playbook import UNREACHABLE, Tools, observed

SERVICES = ("api-server", "payment-svc", "auth-svc", "postgres")


def ask(tools: Tools, question: str = "500 errors on api-server?") -> tuple[str, dict[int, Exhibit]]:
    """The whole answer, and the evidence as the bot would keep it and show it to the model."""
    messages: list[dict[str, Any]] = [user(question)]
    said: list[str] = []
    kept: dict[int, Exhibit] = {}
    for _ in range(10):
        turn = next_turn(read_conversation({"messages": messages, "tools": TOOLS}))
        said += [block.text for block in turn.blocks if isinstance(block, Say)]
        calls = [block for block in turn.blocks if isinstance(block, Call)]
        if not calls or calls[0].name.endswith("update_service_config"):
            return "\n\n".join(said), kept
        messages.append(assistant(*(call(made.id, short(made), **made.arguments) for made in calls)))
        results, reminders = [], []
        for made in calls:
            text, failed = tools(made)
            number = len(kept) + 1
            kept[number] = Exhibit(number, made.name, made.arguments, text, not failed, datetime.now(UTC))
            results.append(result(made.id, text if failed else f"[E{number}] {text}", is_error=failed))
            if failed:
                context = f"E{number}, the call with {json.dumps(made.arguments)}"
                reminders.append(f"PostToolUseFailure:{made.name} hook additional context: {context}")
        told = "".join(f"<system-reminder>\n{each}\n</system-reminder>\n\n" for each in reminders)
        messages += [user(*results), {"role": "system", "content": [{"type": "text", "text": told or "-"}]}]
    raise AssertionError("the playbook does not come to an end")


def short(made: Call) -> str:
    return made.name.removeprefix("mcp__sre__")


def examine(answer: str, kept: dict[int, Exhibit]) -> Assessment:
    examiner = Examiner(SERVICES)
    for line in answer.splitlines():
        if claim := examiner.read(line):
            examiner.judge(claim, kept)
    assessment = examiner.conclude()
    assert assessment is not None
    return assessment


def test_a_true_cause_is_borne_out_claim_by_claim() -> None:
    answer, kept = ask(observed("broken"))
    assessment = examine(answer, kept)
    assert [each for each in assessment.judged if each.faults] == []
    assert (assessment.said, assessment.verdict) == (Verdict.FOUND, Verdict.FOUND)
    assert len(assessment.judged) >= 8
    assert "**Cause:** api-server: database connection pool exhausted [E1, E" in answer


@pytest.mark.parametrize("scene", ["healthy", "recovered"])
def test_a_false_alarm_is_borne_out_too(scene: str) -> None:
    assessment = examine(*ask(observed(scene)))
    assert [each for each in assessment.judged if each.faults] == []
    assert assessment.verdict is Verdict.NOTHING


def test_what_could_not_be_seen_cites_the_calls_that_failed() -> None:
    answer, kept = ask(observed("broken", get_service_health=UNREACHABLE, get_alerts=UNREACHABLE))
    assert "Could not see (get_service_health, get_alerts): UNREACHABLE" in answer
    assert " [E1, E2]" in answer
    assessment = examine(answer, kept)
    assert [each for each in assessment.judged if each.faults] == []
    assert assessment.verdict is Verdict.INCONCLUSIVE


def test_a_figure_that_was_not_read_is_found_out() -> None:
    answer, kept = ask(observed("broken"))
    assessment = examine(answer.replace("46.3 %", "64.3 %"), kept)
    assert {fault for each in assessment.judged for fault in each.faults} == {"64.3 % is not in E1 for api-server"}
