"""The command with which the demo's bot redeploys: it needs nothing but Python, and says what went wrong."""

import subprocess
import sys

import pytest

from tests.fleet.running_fleet import ROOT, RunningFleet

UNREACHABLE = "http://127.0.0.1:9"


def redeploy(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "redeploy.py"), *arguments]
    alone = {"PATH": "", "http_proxy": UNREACHABLE}
    return subprocess.run(command, env=alone, check=False, capture_output=True, text=True, timeout=60)


def test_a_service_is_redeployed_and_signed(healthy_fleet: RunningFleet):
    done = redeploy(healthy_fleet.url, "auth-svc", "--author", "ada", "--reason", "to see whether it works")
    assert (done.returncode, done.stderr) == (0, "")
    assert "auth-svc" in done.stdout
    newest = healthy_fleet.http.get("/deployments", params={"service": "auth-svc"}).json()["deployments"][0]
    assert (newest["author"], newest["reason"]) == ("ada", "to see whether it works")


def test_a_service_that_is_not_there_is_refused_in_the_fleets_words(healthy_fleet: RunningFleet):
    done = redeploy(healthy_fleet.url, "../deployments")
    assert done.returncode == 1
    assert done.stderr.startswith("the fleet refused (404): ")


@pytest.mark.parametrize(
    ("url", "status", "said"), [(UNREACHABLE, 1, "cannot be reached"), ("file:///etc", 2, "begins with")]
)
def test_a_fleet_that_is_not_there_is_said(url: str, status: int, said: str):
    done = redeploy(url, "auth-svc")
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr
