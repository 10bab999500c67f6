"""How the process starts, remembers and ends."""

import signal
import socket
from pathlib import Path

from sandbox.fleet.deployments import DeploymentRecord
from sandbox.fleet.environment import parse_environment
from tests.fleet.running_fleet import (
    SHIPPED,
    RunningFleet,
    running_fleet,
    start_script,
    write_environment,
)


def changes_of_last_start(fleet: RunningFleet) -> object:
    last = fleet.http.get("/deployments?service=api-server&limit=1").json()["deployments"][0]
    assert last["kind"] == "start"
    return last["changes"]


def test_it_prints_one_line_when_ready_and_ends_in_silence(tmp_path: Path) -> None:
    write_environment(tmp_path / "api-server.env", SHIPPED)
    process = start_script(tmp_path, "--port=0")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("fleet listening on http://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 0


def test_a_malformed_environment_stops_the_start_with_one_sentence(tmp_path: Path) -> None:
    write_environment(tmp_path / "api-server.env", SHIPPED | {"DB_QUERY_MS": "fast"})
    process = start_script(tmp_path, "--port=0")
    output, complaint = process.communicate(timeout=60)
    assert (process.returncode, output) == (2, "")
    assert complaint.startswith("The fleet cannot start: api-server.env: DB_QUERY_MS must be 1 to 60000")
    assert complaint.count("\n") == 1


def test_a_taken_port_stops_the_start_with_one_sentence(tmp_path: Path) -> None:
    write_environment(tmp_path / "api-server.env", SHIPPED)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = start_script(tmp_path, f"--port={taken.getsockname()[1]}")
        output, complaint = process.communicate(timeout=60)
    assert (process.returncode, output) == (2, "")
    assert "address already in use" in complaint
    assert complaint.count("\n") == 1


def test_a_start_remembers_deployments_and_shows_an_edit_made_meanwhile(tmp_path: Path) -> None:
    with running_fleet(tmp_path) as fleet:
        assert changes_of_last_start(fleet) == {}
        fleet.deploy(DB_POOL_SIZE="15")
    with running_fleet(tmp_path) as fleet:  # which starts with the shipped environment again
        assert changes_of_last_start(fleet) == {"DB_POOL_SIZE": {"from": "15", "to": "20"}}
        everything = fleet.http.get("/deployments?service=api-server").json()["deployments"]
        assert [deployment["id"] for deployment in everything] == ["api-server-3", "api-server-2", "api-server-1"]
        assert "environment" not in everything[0]


def test_a_half_written_line_of_the_record_is_skipped_and_the_next_line_is_whole(tmp_path: Path) -> None:
    first, second = parse_environment(SHIPPED), parse_environment(SHIPPED | {"DB_POOL_SIZE": "1"})
    DeploymentRecord(tmp_path).add("api-server", first, "start", "fleet", "")
    with (tmp_path / "deployments.jsonl").open("a") as stream:
        stream.write('{"id": "api-server-2", "ti')
    DeploymentRecord(tmp_path).add("api-server", second, "redeploy", "ada", "")
    changes = [deployment.changes for deployment in DeploymentRecord(tmp_path).read("api-server", since=0)]
    assert changes == [{"DB_POOL_SIZE": {"from": "20", "to": "1"}}, {}]
