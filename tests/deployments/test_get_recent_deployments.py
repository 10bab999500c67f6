"""get_recent_deployments: what changed, by whom, and without secrets."""

import re
import time
from dataclasses import replace
from typing import Any

import pytest

from sre_bot.catalog import Catalog, load_catalog
from sre_bot.clients.deployments import Deployment
from sre_bot.settings import ROOT
from sre_bot.tools.records import Deployments
from sre_bot.tools.spec import SOFT_LIMIT, Answer, Tool, specs_of
from tests.tools.conftest import FakeDeployments


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(ROOT / "config")


async def deployments(catalog: Catalog, *entries: Deployment, **arguments: Any) -> Answer:
    (spec,) = specs_of(Deployments)
    return await Tool(spec, Deployments(catalog, FakeDeployments(entries))).call(arguments)


def deployment(ago: float = 240, **changes: tuple[str | None, str | None]) -> Deployment:
    return Deployment("api-server-2", time.time() - ago, "api-server", "2.14.0", "ada", "smaller pool", changes)


async def test_a_deployment_shows_when_what_by_whom_and_each_change(catalog: Catalog) -> None:
    answer = await deployments(catalog, deployment(DB_POOL_SIZE=("20", "1"), NEW=(None, "x"), OLD=("y", None)))
    header, text = answer.text.splitlines()
    assert header.startswith("1 deployment of all services since ")
    assert text.startswith("api-server ")
    assert re.search(r" \(4 m( \d s)? ago\) version", text)
    assert text.endswith(
        " ago) version 2.14.0 by ada: smaller pool; DB_POOL_SIZE 20 → 1; NEW (unset) → x; OLD y → (unset)"
    )


async def test_what_changed_in_the_last_hour_is_one_call(catalog: Catalog) -> None:
    other = replace(deployment(300), service="payment-svc")
    answer = await deployments(catalog, deployment(), other, deployment(ago=3700), since="-1h")
    assert [line.split()[0] for line in answer.text.splitlines()[1:]] == ["api-server", "payment-svc"]


@pytest.mark.parametrize("key", ["API_TOKEN", "DB_PASSWORD", "PRIVATE_KEY", "database_url", "SENTRY_DSN"])
async def test_a_changed_secret_is_shown_as_changed_only(catalog: Catalog, key: str) -> None:
    changed = replace(deployment(), changes={key: ("hunter2", "hunter3")})
    text = (await deployments(catalog, changed)).text
    assert f"{key} (masked) → (masked)" in text
    assert "hunter" not in text


async def test_a_secret_inside_a_value_or_the_reason_is_masked(catalog: Catalog) -> None:
    changed = replace(
        deployment(),
        reason="rotate password=hunter2",
        changes={"CACHE": ("redis://u:hunter2@c", "redis://u:hunter3@c")},
    )
    text = (await deployments(catalog, changed)).text
    assert "CACHE redis://u:(masked)@c → redis://u:(masked)@c" in text
    assert "hunter" not in text


async def test_a_deployment_without_changes_says_so(catalog: Catalog) -> None:
    assert (await deployments(catalog, deployment())).text.endswith("no setting changed")


async def test_older_deployments_than_shown_are_announced(catalog: Catalog) -> None:
    text = (await deployments(catalog, deployment(), deployment(300), limit=1)).text
    assert "newest first; there are older ones: raise limit" in text
    assert len(text.splitlines()) == 2


async def test_many_and_long_changes_are_bounded_and_counted(catalog: Catalog) -> None:
    changes = {f"SETTING_{n:04}": ("x" * 5_000, "y\nforged") for n in range(1_000)}
    text = (await deployments(catalog, *[replace(deployment(n), changes=changes) for n in range(50)], limit=50)).text
    assert len(text) <= SOFT_LIMIT
    assert "and 980 more settings" in text
    assert not [line for line in text.splitlines() if line.startswith("forged")]


async def test_no_deployment_is_no_data(catalog: Catalog) -> None:
    answer = await deployments(catalog, deployment(ago=7200), since="-1h", service="api-server")
    assert answer.text.startswith("NO DATA: no deployment of api-server since ")
