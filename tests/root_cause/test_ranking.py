"""The ranking finds who broke first, whatever the entrance shows, and says what it could not know."""

import math
import time
from dataclasses import replace

import pytest

from sre_bot.root_cause.observations import Measured, Observations
from sre_bot.root_cause.ranking import rank
from tests.root_cause.systems import NAN, ONSET, PAST, SHOP_CALLS, SHOP_OWN, SINCE, START, STEP, System, shop


@pytest.mark.parametrize("cause", SHOP_OWN)
def test_the_service_that_got_slower_by_itself_is_first(cause: str):
    ranking = rank(shop(**{cause: 0.4}).observe(), SHOP_CALLS, "web", ONSET)
    assert ranking.suspects[0].service == cause
    assert ranking.verdict == "clear"
    assert ranking.suspects[0].explains > 0.8
    assert ranking.suspects[0].path[0] == "web"
    assert ranking.suspects[0].path[-1] == cause
    assert set(ranking.cleared) == set(SHOP_OWN) - {cause}


@pytest.mark.parametrize("cause", SHOP_OWN)
def test_the_service_that_fails_by_itself_is_first(cause: str):
    ranking = rank(shop("errors", **{cause: 0.3}).observe(), SHOP_CALLS, "web", ONSET)
    assert (ranking.suspects[0].service, ranking.verdict) == (cause, "clear")


@pytest.mark.parametrize("late", [0.0, 240.0, 540.0])
def test_a_late_alert_does_not_hide_the_past(late: float):
    ranking = rank(shop(stock=0.4).observe(), SHOP_CALLS, "web", ONSET + late)
    assert ranking.onset == ONSET
    assert (ranking.suspects[0].service, ranking.verdict) == ("stock", "clear")


@pytest.mark.parametrize("skew", [-240.0, -60.0])
def test_a_clock_that_is_behind_does_no_harm(skew: float):
    ranking = rank(shop(stock=0.4).observe(), SHOP_CALLS, "web", ONSET + skew)
    assert ranking.onset == ONSET
    assert ranking.suspects[0].service == "stock"


def test_a_time_long_after_all_rows_is_answered_from_what_there_is():
    ranking = rank(shop(stock=0.4).observe(), SHOP_CALLS, "web", ONSET + 86_400.0)
    assert ranking.verdict == "none"
    assert ranking.suspects


def test_two_faults_at_once_are_the_first_two():
    ranking = rank(shop(users=0.3, stock=0.35).observe(), SHOP_CALLS, "web", ONSET)
    assert {suspect.service for suspect in ranking.suspects[:2]} == {"users", "stock"}
    assert ranking.verdict == "ambiguous"


def test_where_nothing_happens_nothing_is_significant_and_the_list_is_still_there():
    ranking = rank(shop().observe(), SHOP_CALLS, "web", ONSET)
    assert ranking.verdict == "none"
    assert {suspect.service for suspect in ranking.suspects} == set(SHOP_OWN)


def test_a_busy_service_that_merely_moved_more_than_usual_explains_nothing():
    observed = shop(stock=0.4).observe()
    users = observed.services["users"]
    calm = Measured([0.01] * PAST + [0.012] * SINCE, users.requests)  # a large z, two milliseconds
    ranking = rank(replace(observed, services={**observed.services, "users": calm}), SHOP_CALLS, "web", ONSET)
    assert ranking.suspects[0].service == "stock"


def test_the_caller_is_blamed_where_a_callee_has_no_past():
    observed = shop(cart=0.03, web=0.4).observe()
    new = Measured([NAN] * PAST + [0.38] * SINCE, [NAN] * PAST + [600.0] * SINCE)
    graph = {**SHOP_CALLS, "web": ["cart", "users", "promo"]}
    ranking = rank(replace(observed, services={**observed.services, "promo": new}), graph, "web", ONSET)
    assert ranking.suspects[0].service == "web"
    assert any("new, without a past" in note and "promo" in note for note in ranking.notes)


def test_a_circle_is_answered_and_named():
    graph = {"web": ["cart"], "cart": ["stock"], "stock": ["cart"]}
    ranking = rank(shop(stock=0.4).observe(), graph, "web", ONSET)
    assert {"stock", "cart"} == {suspect.service for suspect in ranking.suspects[:2]}
    assert any("circle" in note and "cart, stock" in note for note in ranking.notes)
    alone = rank(shop(web=0.4).observe(), {"web": ["web"]}, "web", ONSET)
    assert alone.suspects[0].service == "web"


def test_services_that_nobody_measures_or_knows_are_named():
    ranking = rank(shop(stock=0.4).observe(), {**SHOP_CALLS, "web": ["cart", "users", "mail"]}, "web", ONSET)
    assert any("not measured" in note and "mail" in note for note in ranking.notes)
    assert ranking.suspects[0].service == "stock"
    partial = rank(shop(stock=0.4).observe(), {"web": ["cart"]}, "web", ONSET)
    assert any("not in the topology" in note and "stock" in note for note in partial.notes)
    assert partial.suspects[0].service in ("stock", "cart")


def test_a_target_that_nobody_measures_is_no_verdict():
    ranking = rank(shop(stock=0.4).observe(), SHOP_CALLS, "checkout", ONSET)
    assert ranking.verdict == "none"
    assert ranking.target_change is None
    assert any("checkout has no latency data" in note for note in ranking.notes)


def test_one_service_alone():
    ranking = rank(System({}, {"web": 0.1}, {"web": 0.5}).observe(), {}, "web", ONSET)
    assert [suspect.service for suspect in ranking.suspects] == ["web"]
    assert ranking.verdict == "clear"


def _changed(observed: Observations, rows: Measured, *names: str) -> Observations:
    return replace(observed, services={**observed.services, **dict.fromkeys(names, rows)})


def test_without_any_past_nothing_is_claimed():
    rows = range(SINCE)
    observed = Observations(
        "latency",
        [START + STEP * row for row in rows],
        STEP,
        {name: Measured([0.5] * SINCE, [600.0] * SINCE) for name in SHOP_OWN},
    )
    ranking = rank(observed, SHOP_CALLS, "web", START)
    assert ranking.verdict == "none"
    assert any("only 0 rows from before" in note for note in ranking.notes)


@pytest.mark.parametrize("value", [NAN, math.inf, 0.0])
def test_a_service_without_usable_figures_neither_explains_nor_disturbs(value: float):
    nothing = Measured([NAN] * (PAST + SINCE), [value] * (PAST + SINCE))
    ranking = rank(_changed(shop(stock=0.4).observe(), nothing, "users"), SHOP_CALLS, "web", ONSET)
    assert ranking.suspects[0].service == "stock"
    assert all(math.isfinite(suspect.score) and math.isfinite(suspect.explains) for suspect in ranking.suspects)


def test_no_rows_and_no_requests_are_answered():
    empty = Observations("errors", [], STEP, {})
    assert rank(empty, SHOP_CALLS, "web", ONSET).verdict == "none"
    nothing = Measured([NAN] * (PAST + SINCE), [0.0] * (PAST + SINCE))
    assert rank(_changed(shop().observe(), nothing, *SHOP_OWN), SHOP_CALLS, "web", ONSET).verdict == "none"


def test_an_incident_that_is_over_is_said_to_be():
    observed = shop(stock=0.4).observe()
    healthy = shop().observe()
    over = {
        name: Measured([*rows.level[:-4], *healthy.services[name].level[-4:]], rows.requests)
        for name, rows in observed.services.items()
    }
    ranking = rank(replace(observed, services=over), SHOP_CALLS, "web", ONSET)
    assert ranking.over
    assert ranking.suspects[0].service == "stock"
    assert not rank(observed, SHOP_CALLS, "web", ONSET).over


def test_more_requests_are_a_surge():
    observed = shop(stock=0.4).observe()
    web = observed.services["web"]
    more = Measured(web.level, [*web.requests[:PAST], *(3 * number for number in web.requests[PAST:])])
    assert rank(_changed(observed, more, "web"), SHOP_CALLS, "web", ONSET).surge == pytest.approx(3.0)


def test_two_hundred_services_take_a_bounded_time():
    names = [f"svc{number:03}" for number in range(200)]
    graph = {name: [other for other in names if other > name][:12] for name in names}
    level = [0.1 + 0.001 * (row % 7) for row in range(PAST + SINCE)]
    worse = [*level[:PAST], *(value + 1 for value in level[PAST:])]
    services = {name: Measured(worse if name in names[:5] else level, [100.0] * (PAST + SINCE)) for name in names}
    observed = Observations("latency", [START + STEP * row for row in range(PAST + SINCE)], STEP, services)
    began = time.process_time()
    ranking = rank(observed, {**graph, names[-1]: [names[0]]}, names[0], ONSET)
    assert time.process_time() - began < 5.0
    assert len(ranking.suspects) == 200


def test_a_time_that_is_now_is_answered_from_the_newest_rows():
    now = ONSET + SINCE * STEP
    healthy = rank(shop().observe(), SHOP_CALLS, "web", now)
    assert healthy.target_change is not None
    assert healthy.target_change.known
    assert healthy.verdict == "none"
    assert rank(shop(stock=0.4).observe(), SHOP_CALLS, "web", now).suspects[0].service == "stock"
