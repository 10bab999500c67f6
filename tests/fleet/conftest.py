from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.running_fleet import RunningFleet, running_fleet


@pytest.fixture(scope="module")
def healthy_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFleet]:
    """One fleet for the tests of a file, which leave it healthy."""
    with running_fleet(tmp_path_factory.mktemp("fleet")) as running:
        yield running


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[RunningFleet]:
    """A fleet for one test, which may break it."""
    with running_fleet(tmp_path) as running:
        yield running
