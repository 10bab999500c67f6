"""Databases that only their callers measure, and what pools, CPU and absence say."""

from dataclasses import replace

import pytest

from sre_bot.root_cause.observations import Measured, Observations, Rows
from sre_bot.root_cause.ranking import rank
from tests.root_cause.systems import ONSET, PAST, SINCE, START, STEP

GRAPH = {"web": ["users", "db"], "users": ["db"]}
REQUESTS = [600.0] * (PAST + SINCE)


def rows(before: float, since: float) -> list[float]:
    """A figure that wavers a little, and moves at the onset."""
    return [(before if row < PAST else since) * (1 + 0.02 * ((row * 7) % 5 - 2)) for row in range(PAST + SINCE)]


def observe(web_query: float, users_query: float, queue: float = 0.0, **more: object) -> Observations:
    """`web` and `users` with what each adds itself (30 and 10 ms), their queries, and a queue in `web`."""
    users = 0.01 + users_query
    given: dict[str, object] = {
        "kind": "latency",
        "times": [START + STEP * row for row in range(PAST + SINCE)],
        "step": STEP,
        "services": {
            "web": Measured(rows(0.03 + 0.05 + 0.02, 0.03 + web_query + users + queue), REQUESTS),
            "users": Measured(rows(0.02, users), REQUESTS),
        },
        "calls": {
            ("web", "db"): Measured(rows(0.05, web_query), REQUESTS),
            ("users", "db"): Measured(rows(0.01, users_query), REQUESTS),
            ("web", "users"): Measured(rows(0.02, users), REQUESTS),
        },
    }
    return Observations(**{**given, **more})  # type: ignore[arg-type]


def usage(**since: float) -> dict[str, Rows]:
    return {name: rows(0.2, value) for name, value in since.items()}


def test_a_database_that_is_slow_for_everybody_is_to_blame():
    ranking = rank(observe(0.5, 0.1), GRAPH, "web", ONSET)
    assert (ranking.suspects[0].service, ranking.verdict) == ("db", "clear")


def test_one_callers_slow_statement_is_that_callers_doing():
    ranking = rank(observe(0.5, 0.01), GRAPH, "web", ONSET)
    assert (ranking.suspects[0].service, ranking.verdict) == ("web", "clear")


def test_a_queue_with_a_fast_database_is_the_callers_pool():
    queues = {"web": rows(0.0, 0.0)[:PAST] + [30.0] * SINCE}
    ranking = rank(observe(0.05, 0.01, queue=1.0, queues=queues, usage={"pool": usage(web=1.0)}), GRAPH, "web", ONSET)
    first = ranking.suspects[0]
    assert (first.service, ranking.verdict) == ("web", "clear")
    assert any("waiting" in reason for reason in first.reasons)
    assert any(reason.startswith("pool 20% to 1") for reason in first.reasons)


def test_a_queue_behind_a_database_that_is_slow_for_everybody_is_the_databases_doing():
    queues = {"web": [0.0] * PAST + [30.0] * SINCE}
    ranking = rank(observe(0.5, 0.1, queue=1.0, queues=queues), GRAPH, "web", ONSET)
    assert ranking.suspects[0].service == "db"
    assert any("queues of web" in reason for reason in ranking.suspects[0].reasons)


def test_a_database_that_is_down_has_its_callers_failures():
    failing = {name: Measured([0.001] * PAST + [1.0] * SINCE, REQUESTS) for name in ("web", "users")}
    observed = replace(
        observe(0.05, 0.01),
        kind="errors",
        services=failing,
        calls={("web", "users"): Measured([0.001] * PAST + [0.5] * SINCE, REQUESTS)},
        up={"db": [1.0] * PAST + [0.0] * SINCE, "web": [1.0] * (PAST + SINCE)},
    )
    ranking = rank(observed, GRAPH, "web", ONSET)
    assert ranking.suspects[0].service == "db"
    assert "down" in ranking.suspects[0].reasons


@pytest.mark.parametrize(("share", "suspected"), [(0.97, True), (0.9, False)])
def test_a_limit_alone_makes_a_suspect_only_when_it_is_reached(share: float, suspected: bool):
    ranking = rank(observe(0.05, 0.01, usage={"memory": usage(users=share)}), GRAPH, "web", ONSET)
    assert ranking.verdict == "none"
    assert (ranking.suspects[0].score > 0 and ranking.suspects[0].service == "users") is suspected


def test_a_limit_that_is_reached_just_now_counts_although_it_was_not_on_average():
    level = rows(0.2, 0.9)
    risen = {"memory": {"users": [*level[:-2], 0.96, 0.97]}}
    ranking = rank(observe(0.05, 0.01, usage=risen), GRAPH, "web", ONSET)
    assert ranking.suspects[0].service == "users"
    assert ranking.suspects[0].reasons == ("memory 20% to 96%",)
    assert "users" not in ranking.cleared


def test_a_limit_that_nobody_measured_since_the_onset_is_no_sign():
    silent = {"memory": {"users": rows(0.97, float("nan"))}}
    ranking = rank(observe(0.05, 0.01, usage=silent), GRAPH, "web", ONSET)
    assert all(suspect.reasons == () for suspect in ranking.suspects if suspect.service == "users")


def test_a_limit_that_was_as_full_before_is_no_sign():
    full = {"cpu": {"users": rows(0.85, 0.86)}}
    ranking = rank(observe(0.5, 0.1, usage=full), GRAPH, "web", ONSET)
    assert all(suspect.reasons == () for suspect in ranking.suspects if suspect.service == "users")


def test_what_lies_off_the_targets_paths_is_no_suspect_by_its_limits():
    ranking = rank(observe(0.5, 0.1, usage={"cpu": usage(other=1.0)}), GRAPH, "web", ONSET)
    assert "other" not in [suspect.service for suspect in ranking.suspects if suspect.score > 0]


def test_a_service_whose_own_figures_end_is_read_from_its_callers():
    observed = observe(0.05, 0.5)
    users = observed.services["users"]
    ended = Measured([*users.level[:PAST], *([float("nan")] * SINCE)], [*REQUESTS[:PAST], *([float("nan")] * SINCE)])
    observed = replace(
        observed,
        services={**observed.services, "users": ended},
        calls={("web", "users"): observed.calls["web", "users"], ("web", "db"): observed.calls["web", "db"]},
    )
    ranking = rank(observed, GRAPH, "web", ONSET)
    assert (ranking.suspects[0].service, ranking.verdict) == ("users", "clear")
    assert "own figures ended, read from its callers: users" in ranking.notes


@pytest.mark.parametrize(("failing", "blamed"), [(("web", "users"), "db"), (("web",), "web")])
def test_failures_at_a_full_store_are_its_own_where_several_callers_have_them(failing: tuple[str, ...], blamed: str):
    services = {
        name: Measured([0.001] * PAST + [0.6 if name in failing else 0.001] * SINCE, REQUESTS)
        for name in ("web", "users")
    }
    calls = {("web", "users"): Measured([0.001] * PAST + [0.2 if "users" in failing else 0.001] * SINCE, REQUESTS)}
    observed = replace(
        observe(0.05, 0.01), kind="errors", services=services, calls=calls, usage={"connections": usage(db=1.0)}
    )
    assert rank(observed, GRAPH, "web", ONSET).suspects[0].service == blamed
