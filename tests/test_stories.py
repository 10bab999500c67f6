"""The stories of the demo, held against the configuration that they break."""

import pytest
import yaml
from dotenv import dotenv_values

from sandbox.fleet.environment import parse_environment
from sandbox.stories import BASELINE, POOL, STORIES, Story
from sre_bot.catalog import load_catalog
from sre_bot.settings import ROOT

CONFIG = ROOT / "config"
EVERY = pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)


def test_what_the_stories_go_back_to_is_what_is_shipped() -> None:
    shipped = dotenv_values(CONFIG / "api-server.env")
    assert {key: shipped[key] for key in BASELINE} == BASELINE


@EVERY
def test_a_story_is_a_change_that_the_tools_may_make_and_undo(story: Story) -> None:
    declared = load_catalog(CONFIG).services["api-server"].config
    for key, value in {**story.settings, **story.remedy}.items():
        assert declared[key].accepts(value)
    assert story.settings != story.remedy
    parse_environment({**BASELINE, **story.settings})


@EVERY
def test_its_alert_is_one_of_the_rules(story: Story) -> None:
    groups = yaml.safe_load((CONFIG / "alert_rules.yml").read_text())["groups"]
    names = {rule.get("alert") for group in groups for rule in group["rules"]}
    assert story.alert in names or not story.heals


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        ("`DB_POOL_SIZE` changed 20 → 1 in the deployment at 14:03:12Z", True),
        ("DB_POOL_SIZE went from 20 to 1", True),
        ("set DB_POOL_SIZE from 1 to 20", False),
        ("DB_POOL_SIZE changed 20 → 100", False),
        ("the pool is too small", False),
    ],
)
def test_a_cause_is_named_only_with_its_setting_and_both_values(answer: str, named: bool) -> None:
    assert bool(POOL.cause.search(answer)) is named
