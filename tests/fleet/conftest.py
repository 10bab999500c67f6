from collections.abc import Iterator

import pytest

from tests.fleet.running_fleet import RunningFleet, running_fleet


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFleet]:
    """One fleet for the tests of a file, healthy at its start."""
    with running_fleet(tmp_path_factory.mktemp("fleet")) as running:
        yield running
