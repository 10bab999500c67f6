"""execute_runbook and the files behind it."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from sre_bot.catalog import Catalog
from sre_bot.errors import CatalogError, Refused, Unreachable
from sre_bot.settings import ROOT
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

### 2. Who fills it?

Call get_logs.

## Remediation

- Person: empty it.

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
    assert text.startswith("Runbook full-disk (Full disk), phase investigate, all services, ")
    assert "\n1. How full is it?\n   disk in use: api-server 95 %, auth-svc 40 %\n   Reading: Above 90 %" in text
    assert "\n2. Who fills it?\n   Reading: Call get_logs.\n" in text
    assert "Next: execute_runbook name=full-disk phase=remediate" in text
    assert text.endswith("postgres → Database team, #dba-oncall")
    assert metrics.asked == ['max by (service) (disk_ratio{service=~".+"})']


async def test_one_service_narrows_the_queries_and_the_escalation(catalog: Catalog, folder: Path) -> None:
    metrics = FakeMetrics()
    text = (await run(catalog, folder, metrics, name="full-disk", service="auth-svc")).text
    assert metrics.asked == ['max by (service) (disk_ratio{service=~"auth-svc"})']
    assert text.endswith("Page the owner.\nauth-svc → Identity team, #identity-oncall")


async def test_a_step_without_data_or_with_a_failing_query_says_so(catalog: Catalog, folder: Path) -> None:
    assert "   disk in use: NO DATA\n" in (await run(catalog, folder, FakeMetrics(), name="full-disk")).text
    failing = FakeMetrics({"disk": Refused("Prometheus answered 422: bad.", 422)})
    text = (await run(catalog, folder, failing, name="full-disk")).text
    assert "   disk in use: FAILED (Prometheus answered 422: bad.)\n" in text


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
    assert "- Person: empty it." in text
    assert metrics.asked == []


@pytest.mark.parametrize("name", ["Full Disk", "full_disk", " full-disk.md "])
async def test_a_name_is_found_however_it_is_spelt(catalog: Catalog, folder: Path, name: str) -> None:
    assert not (await run(catalog, folder, FakeMetrics(), name=name)).is_error


@pytest.mark.parametrize("name", ["", "disk", "../../etc/passwd", "x" * 10_000])
async def test_an_unknown_name_is_answered_with_those_that_exist(catalog: Catalog, folder: Path, name: str) -> None:
    answer = await run(catalog, folder, FakeMetrics(), name=name)
    assert answer.is_error
    assert answer.text.endswith("Runbooks: full-disk.")
    assert len(answer.text) < 200


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("---\ntitle: Full disk\n---\n", "", ":1: must start with front matter"),
        ("title: Full disk", "title: [", ":2: front matter is not valid YAML"),
        ("title: Full disk", "name: Full disk", ":2: front matter must have the key `title`"),
        ("## Escalation\n\nPage the owner.\n", "", ":1: sections missing or empty: Escalation"),
        ("- The disk is full\n", "", ":1: sections missing or empty: Symptoms"),
        ("## Escalation", "## Escalations", ":26: unexpected section 'Escalations'"),
        ("## Escalation", "## Symptoms", ":26: unexpected section 'Symptoms'"),
        ("- Person: empty", "- Empty", ":24: an option must start with Person: or Call:"),
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
