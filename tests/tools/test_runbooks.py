"""execute_runbook and the files behind it."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from sre_bot.catalog import Catalog
from sre_bot.clients.prometheus import Prometheus
from sre_bot.errors import CatalogError, Refused, Unreachable
from sre_bot.settings import ROOT, PrometheusSettings
from sre_bot.tools.offer import describe_tools
from sre_bot.tools.runbook_files import load_runbooks
from sre_bot.tools.runbooks import Runbooks
from sre_bot.tools.spec import Answer, Tool, specs_of
from tests.tools.conftest import FakeMetrics, one

GOOD = """\
---
title: Full disk
---
## Symptoms

- The disk is full

## Investigation

### 1. How full is it?

```promql ratio disk in use
max by (service) (disk_ratio{service=~"$service"})
```

Above 90 % it is full.

- When disk in use > 90 %: full; option 1
- When disk in use > 50 %: filling
- Otherwise: there is room

### 2. Who fills it?

Call get_logs.

## Remediation

1. Person: empty it.
2. Call: `redeploy_service(service="api-server")`
   which empties its cache.

## Escalation

Page the owner.
"""


async def run(catalog: Catalog, folder: Path, metrics: FakeMetrics, **arguments: Any) -> Answer:
    (spec,) = specs_of(Runbooks)
    return await Tool(spec, Runbooks(catalog, metrics, load_runbooks(folder))).call(arguments)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "full-disk.md").write_text(GOOD)
    return tmp_path


def test_the_three_runbooks_that_were_commissioned_are_there_and_complete() -> None:
    runbooks = load_runbooks(ROOT / "config" / "runbooks")
    assert set(runbooks) == {"database-connection-exhaustion", "high-latency-cascade", "elevated-error-rates"}
    exhaustion = runbooks["database-connection-exhaustion"]
    assert "CrashLoopBackOff" in exhaustion.symptoms
    assert "too many connections" in exhaustion.symptoms
    queried = " ".join(query.promql for step in exhaustion.steps for query in step.queries)
    assert "db_connections_active" in queried
    assert "db_connections_waiting" in queried
    assert "DB_POOL_SIZE=20" in exhaustion.remediation


async def test_investigate_fills_in_the_figures_of_each_step(catalog: Catalog, folder: Path) -> None:
    metrics = FakeMetrics({"disk_ratio": [one("auth-svc", 0.4), one("api-server", 0.95)]})
    text = (await run(catalog, folder, metrics, name="full-disk")).text
    assert text.startswith("Runbook full-disk, investigate, all services, ")
    assert text.splitlines()[1:] == [
        "1. disk in use: api-server 95 %, auth-svc 40 %",
        "   => full; option 1 [api-server 95 %]",
        "   Above 90 % it is full.",
        "2. Who fills it?",
        "   Call get_logs.",
        "Next: the same call with phase=remediate",
        "Escalation: Page the owner.",
        "api-server → Platform team, #platform-oncall",
    ]
    assert metrics.asked == ['max by (service) (disk_ratio{service=~".+"})']


async def test_one_service_narrows_the_queries_and_the_escalation(catalog: Catalog, folder: Path) -> None:
    metrics = FakeMetrics()
    text = (await run(catalog, folder, metrics, name="full-disk", service="auth-svc")).text
    assert metrics.asked == ['max by (service) (disk_ratio{service=~"auth-svc"})']
    assert text.endswith("Page the owner.\nauth-svc → Identity team, #identity-oncall")


async def test_the_service_that_was_asked_for_is_not_named_at_each_figure(catalog: Catalog, folder: Path) -> None:
    metrics = FakeMetrics({"disk_ratio": [one("auth-svc", 0.95)]})
    text = (await run(catalog, folder, metrics, name="full-disk", service="auth-svc")).text
    assert "\n1. disk in use: 95 %\n   => full; option 1\n" in text


async def test_another_service_that_figures_point_to_is_named_with_its_owner(catalog: Catalog, folder: Path) -> None:
    metrics = FakeMetrics({"disk_ratio": [one("postgres", 0.95)]})
    text = (await run(catalog, folder, metrics, name="full-disk", service="auth-svc")).text
    assert "\n1. disk in use: postgres 95 %\n" in text
    assert text.endswith("auth-svc → Identity team, #identity-oncall\npostgres → Database team, #dba-oncall")


async def test_figures_that_point_to_nobody_page_nobody_and_say_how_to_find_the_owners(
    catalog: Catalog, folder: Path
) -> None:
    metrics = FakeMetrics({"disk_ratio": [one("auth-svc", 0.1)]})
    text = (await run(catalog, folder, metrics, name="full-disk")).text
    assert "\n   => there is room\n" in text
    assert text.splitlines()[-1].startswith("The figures point to no service; with service, ")
    assert "#" not in text
    everybody = (await run(catalog, folder, metrics, name="full-disk", phase="remediate")).text
    assert everybody.count(" → ") == len(catalog.services)


async def test_a_step_without_data_or_with_a_failing_query_says_so(catalog: Catalog, folder: Path) -> None:
    text = (await run(catalog, folder, FakeMetrics(), name="full-disk")).text
    assert "1. How full is it? disk in use: NO DATA\n   => undecided, for want of data: disk in use\n" in text
    failing = FakeMetrics({"disk": Refused("Prometheus answered 422: bad.", 422)})
    text = (await run(catalog, folder, failing, name="full-disk")).text
    assert "1. How full is it? disk in use: FAILED (Prometheus answered 422: bad.)\n   => undecided" in text


@pytest.mark.parametrize(
    ("figures", "pointed"),
    [
        ({"a": 0.95, "b": 0.6, "c": 0.1}, ["=> full; option 1 [a 95 %]", "=> filling [b 60 %]"]),
        ({"a": 0.5}, ["=> there is room"]),
        ({"a": 0.9000001}, ["=> full; option 1"]),
        ({"a": 0.95, "b": 0.91}, ["=> full; option 1"]),
        ({"a": float("nan")}, ["=> undecided, for want of data: disk in use"]),
        ({"a": float("nan"), "b": 0.7}, ["=> filling [b 70 %]"]),
        (
            {"full": 0.95} | {str(n): 0.6 for n in range(20)},
            ["=> full; option 1 [full 95 %]", "=> filling [0 60 %, 1 60 %, 2 60 %, 3 60 %, and 16 more, smaller]"],
        ),
    ],
)
async def test_the_figures_point_to_the_first_branch_that_they_satisfy(
    catalog: Catalog, folder: Path, figures: dict[str, float], pointed: list[str]
) -> None:
    metrics = FakeMetrics({"disk": [one(*each) for each in figures.items()]})
    text = (await run(catalog, folder, metrics, name="full-disk")).text
    assert [line.strip() for line in text.splitlines() if "=>" in line] == pointed


async def test_many_figures_are_cut_and_counted(catalog: Catalog, folder: Path) -> None:
    metrics = FakeMetrics({"disk": [one(f"svc-{n}", n / 100) for n in range(50)]})
    text = (await run(catalog, folder, metrics, name="full-disk")).text
    assert "svc-49 49 %" in text
    assert "and 42 more, smaller\n" in text


async def test_an_unreachable_prometheus_is_an_error(catalog: Catalog, folder: Path) -> None:
    metrics = FakeMetrics({"disk": Unreachable("UNREACHABLE: Prometheus")})
    assert await run(catalog, folder, metrics, name="full-disk") == Answer("UNREACHABLE: Prometheus", is_error=True)


async def test_remediate_lists_the_options_and_asks_nothing(catalog: Catalog, folder: Path) -> None:
    metrics = FakeMetrics()
    text = (await run(catalog, folder, metrics, name="full-disk", phase="remediate")).text
    assert "nothing was changed" in text
    assert "1. Person: empty it." in text
    assert '2. Call: `redeploy_service(service="api-server")`' in text
    assert "is not offered here" in text
    assert metrics.asked == []


async def test_an_option_says_whether_its_tool_is_offered(catalog: Catalog, folder: Path) -> None:
    (spec,) = specs_of(Runbooks)
    offered = Runbooks(catalog, FakeMetrics(), load_runbooks(folder), changes=True)
    text = (await Tool(spec, offered).call({"name": "full-disk", "phase": "remediate"})).text
    assert "Call: that tool call does it." in text


@pytest.mark.parametrize("path", sorted((ROOT / "config" / "runbooks").glob("*.md")), ids=lambda path: path.stem)
def test_every_call_that_a_shipped_runbook_names_is_one_that_a_tool_takes(path: Path, catalog: Catalog) -> None:
    specs = {spec.name: spec for spec in describe_tools()}
    calls = re.findall(r"Call: `(\w+)\((.*)\)`", load_runbooks(path.parent)[path.stem].remediation)
    assert calls
    for name, given in calls:
        arguments = {key: json.loads(value) for key, value in re.findall(r"(\w+)=(\"[^\"]*\"|\w+)", given)}
        specs[name].arguments.model_validate(arguments)
        if name == "update_service_config":
            declared = catalog.service(arguments["service"]).config[arguments["key"]]
            assert declared.accepts(arguments["value"])


@pytest.mark.parametrize("path", sorted((ROOT / "config" / "runbooks").glob("*.md")), ids=lambda path: path.stem)
async def test_prometheus_takes_every_query_of_a_shipped_runbook(
    catalog: Catalog, prometheus_url: str, path: Path
) -> None:
    metrics = Prometheus(PrometheusSettings.model_validate({"PROMETHEUS_URL": prometheus_url}))
    (spec,) = specs_of(Runbooks)
    answer = await Tool(spec, Runbooks(catalog, metrics, load_runbooks(path.parent))).call({"name": path.stem})
    await metrics.aclose()
    assert not answer.is_error
    assert "FAILED" not in answer.text
    assert "NO DATA" in answer.text  # this Prometheus scrapes something else


@pytest.mark.parametrize("name", ["Full Disk", "full_disk", " full-disk.md "])
async def test_a_name_is_found_however_it_is_spelt(catalog: Catalog, folder: Path, name: str) -> None:
    assert not (await run(catalog, folder, FakeMetrics(), name=name)).is_error


@pytest.mark.parametrize("name", ["", "disk", "../../etc/passwd", "x" * 10_000])
async def test_an_unknown_name_is_answered_with_those_that_exist(catalog: Catalog, folder: Path, name: str) -> None:
    answer = await run(catalog, folder, FakeMetrics(), name=name)
    assert answer.is_error
    assert answer.text.endswith("Runbooks and their symptoms:\nfull-disk (Full disk): The disk is full")
    assert len(answer.text) < 200


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("---\ntitle: Full disk\n---\n", "", ":1: must start with front matter"),
        ("title: Full disk", "title: [", ":2: front matter is not valid YAML"),
        ("title: Full disk", "name: Full disk", ":2: front matter must have the key `title`"),
        ("## Escalation\n\nPage the owner.\n", "", ":1: sections missing or empty: Escalation"),
        ("- The disk is full\n", "", ":1: sections missing or empty: Symptoms"),
        ("## Escalation", "## Escalations", ":32: unexpected section 'Escalations'"),
        ("## Escalation", "## Symptoms", ":32: unexpected section 'Symptoms'"),
        ("1. Person: empty", "1. Empty", ":28: an option must start like `1. Person: …`"),
        ("2. Call: `redeploy", "2. Call: redeploy", ":29: an option must start like"),
        ("- When disk in use > 90 %", "- When disk in use > 90", ":18: a branch must be"),
        ("- When disk in use > 90 %", "- When disk in use > 90 ms", ":18: a branch must be"),
        ("- When disk in use > 90 %", "- When disk use > 90 %", ":18: a branch must be"),
        ("- When disk in use > 90 %", "- When disk in use is high", ":18: a branch must be"),
        ("- Otherwise: ", "- Else: ", ":20: a branch must be"),
        ("promql ratio disk in use", "promql percent disk in use", ":12: 'percent' is no unit: ratio, ms"),
        ("promql ratio disk in use", "promql ratio", ":12: a block must be"),
        ("promql ratio disk in use", "sql ratio disk", ":12: a block must be"),
        ('max by (service) (disk_ratio{service=~"$service"})\n', "", ":12: a block must be"),
        ("### ", "#### ", ":9: Investigation must consist of steps"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_its_line(folder: Path, before: str, after: str, expected: str) -> None:
    assert before in GOOD
    (folder / "full-disk.md").write_text(GOOD.replace(before, after))
    with pytest.raises(CatalogError) as caught:
        load_runbooks(folder)
    assert str(caught.value).startswith(f"{folder / 'full-disk.md'}{expected}")


def test_a_file_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / "odd.md").write_bytes(b"\xff\xfe")
    with pytest.raises(CatalogError, match=r"odd\.md: cannot be read"):
        load_runbooks(folder)


def test_a_new_file_is_a_new_runbook(folder: Path) -> None:
    shutil.copy(folder / "full-disk.md", folder / "full-cache.md")
    assert list(load_runbooks(folder)) == ["full-cache", "full-disk"]
