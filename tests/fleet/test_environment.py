from pathlib import Path

import pytest

from sandbox.fleet.environment import DeployError, changed, read_environment
from tests.fleet.running_fleet import SHIPPED, SHIPPED_ENVIRONMENT


def written(directory: Path, text: str) -> Path:
    path = directory / "api-server.env"
    path.write_text(text)
    return path


def test_the_shipped_file_says_what_the_product_documents() -> None:
    environment = read_environment(SHIPPED_ENVIRONMENT)
    assert environment.pool_size == 20
    assert dict(environment.values) == SHIPPED


def test_comments_quotes_and_export_are_read_as_dotenv_reads_them(tmp_path: Path) -> None:
    text = "# pools\nexport DB_POOL_SIZE='1'  # was 20\nDB_QUERY_MS = 75.5\n"
    environment = read_environment(written(tmp_path, text))
    assert (environment.pool_size, environment.query_ms) == (1, 75.5)


def test_the_last_of_two_lines_for_one_key_counts(tmp_path: Path) -> None:
    assert read_environment(written(tmp_path, "DB_POOL_SIZE=1\nDB_POOL_SIZE=20\n")).pool_size == 20


def test_a_variable_of_the_process_never_leaks_into_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIZE", "7")
    with pytest.raises(DeployError, match=r"\$\{SIZE\}"):
        read_environment(written(tmp_path, "DB_POOL_SIZE=${SIZE}\n"))


def test_settings_that_the_fleet_does_not_know_are_not_recorded(tmp_path: Path) -> None:
    environment = read_environment(written(tmp_path, "DB_POOL_SIZE=20\nDB_PASSWORD=hunter2\n"))
    assert "hunter2" not in str(environment.values)


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "twenty", "", "1001", "٢٠", "1e2", "9" * 5000])
def test_a_pool_size_that_is_no_sensible_number_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(DeployError, match="DB_POOL_SIZE must be a whole number from 1 to 1000") as refused:
        read_environment(written(tmp_path, f"DB_POOL_SIZE={value}\n"))
    assert len(str(refused.value)) < 200


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    text = "DB_POOL_TIMEOUT=nan\nDB_QUERY_MS=inf\nAPP_VERSION=two words\n"
    with pytest.raises(DeployError) as refused:
        read_environment(written(tmp_path, text))
    for key in ("DB_POOL_SIZE is missing", "DB_POOL_TIMEOUT must", "DB_QUERY_MS must", "APP_VERSION must"):
        assert key in str(refused.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"DB_POOL_SIZE=20\nDB_QUERY_MS='60\n", "line 2: cannot parse"),
        (b"DB_POOL_SIZE 20\n", "line 1: cannot parse"),
        (b"DB_POOL_SIZE=\xff\n", "not UTF-8"),
    ],
)
def test_a_line_that_does_not_parse_is_an_error_and_not_a_default(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "api-server.env"
    path.write_bytes(content)
    with pytest.raises(DeployError, match=message):
        read_environment(path)


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match=r"Cannot read nowhere\.env: No such file"):
        read_environment(tmp_path / "nowhere.env")


def test_changes_name_added_removed_and_edited_settings() -> None:
    assert changed({"A": "1", "B": "2", "C": "3"}, {"A": "1", "B": "4", "D": "5"}) == {
        "B": {"from": "2", "to": "4"},
        "C": {"from": "3", "to": None},
        "D": {"from": None, "to": "5"},
    }
