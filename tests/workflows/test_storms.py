"""Which pages belong together, by the catalog's topology; api-server needs all the others, payment-svc auth-svc too."""

from dataclasses import replace

import pytest

from sre_bot.catalog import load_catalog
from sre_bot.incidents.paging import Case, Incident, IncidentStatus, Urgency
from sre_bot.settings import ROOT
from sre_bot.workflows.storms import Storms, symptoms
from tests.incidents.pages import at

STORMS = Storms(load_catalog(ROOT / "config"), 600)


def incident(service: str = "api-server", title: str = "slow", **more: object) -> Incident:
    known = Incident(
        key=f"pd:{service}",
        case_id=0,
        source="pd",
        title=title,
        status=IncidentStatus.TRIGGERED,
        urgency=Urgency.HIGH,
        priority="",
        service=STORMS.service_of(service, title),
        service_label=service,
        url="",
        group_key="",
        assignees=(),
        details="",
        opened_at=at(0),
        snapshot_at=at(0),
        resolved_at=None,
    )
    return replace(known, **more)  # type: ignore[arg-type]  # some of the fields above


def case(number: int, *members: Incident, asked: tuple[str, ...] = (), episode: int = 1) -> Case:
    return Case(number, "C1", None, at(0), at(0), None, 1, 0, episode, 0, 0, None, asked, members)


def closed(*members: Incident) -> Case:
    return case(9, *(replace(each, status=IncidentStatus.RESOLVED) for each in members))


@pytest.mark.parametrize(
    ("label", "title", "service"),
    [
        ("api-server", "", "api-server"),
        ("API", "Errors in payment-svc since 3:00", "payment-svc"),
        ("", "AUTH-SVC calls postgres too often", "auth-svc"),
        ("prod", "my-postgres-exporter is down", ""),
        ("checkout", "slow", ""),
        ("", "", ""),
    ],
)
def test_the_service_is_what_the_source_says_or_what_is_mentioned_first(label: str, title: str, service: str) -> None:
    assert STORMS.service_of(label, title) == service


def test_the_same_service_joins() -> None:
    there = case(1, incident())
    assert STORMS.choose(incident(title="other"), [there]) == there


@pytest.mark.parametrize("neighbour", ["postgres", "payment-svc", "auth-svc"])
def test_what_a_service_depends_on_and_who_calls_it_joins(neighbour: str) -> None:
    there = case(1, incident("api-server"))
    assert STORMS.choose(incident(neighbour), [there]) == there
    here = case(1, incident(neighbour))
    assert STORMS.choose(incident("api-server"), [here]) == here


def test_a_stranger_is_a_case_of_its_own() -> None:
    assert STORMS.choose(incident("checkout"), [case(1, incident())]) is None
    assert STORMS.choose(incident(""), [case(1, incident(""))]) is None, "nothing is known of either"
    assert STORMS.choose(incident(), []) is None


def test_an_unknown_service_joins_itself_by_the_sources_word() -> None:
    there = case(1, incident("checkout"))
    assert STORMS.choose(incident("checkout", "else"), [there]) == there


def test_the_group_counts_more_than_the_service_and_that_more_than_a_neighbour() -> None:
    neighbour = case(1, incident("postgres"))
    same = case(2, incident("api-server"))
    group = case(3, incident("checkout", group_key="k"))
    page = incident("api-server", group_key="k")
    assert STORMS.choose(page, [neighbour, same, group]) == group
    assert STORMS.choose(page, [neighbour, same]) == same
    assert STORMS.choose(page, [neighbour]) == neighbour


def test_of_two_alike_the_latest_counts() -> None:
    latest, earlier = case(2, incident()), case(1, incident())
    assert STORMS.choose(incident(), [latest, earlier]) == latest


def test_a_case_that_is_over_is_joined_by_its_own_only() -> None:
    over = closed(incident("postgres", group_key="k"))
    assert STORMS.choose(incident("postgres"), [over]) == over
    assert STORMS.choose(incident("checkout", group_key="k"), [over]) == over
    assert STORMS.choose(incident("api-server"), [over]) is None


def test_symptoms_are_told_once_whatever_their_figures_and_only_of_what_is_open() -> None:
    members = [
        incident(title="latency is 5.2 s on 3 hosts"),
        incident(title="latency is 7,5 s on 12 hosts"),
        incident("checkout", "errors"),
        incident(title="over", status=IncidentStatus.RESOLVED),
    ]
    assert symptoms(case(1, *members)) == ["episode 1", "api-server: latency is # s on # hosts", "checkout: errors"]
    assert symptoms(case(1, *members, episode=2))[0] == "episode 2"
