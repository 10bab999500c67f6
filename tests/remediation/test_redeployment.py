"""The redeploy command: an argument vector, bounded in time and output, with nothing of ours in its environment."""

import os
import sys
from pathlib import Path

import pytest

from sre_bot.clients.redeployment import OUTPUT_LIMIT, Redeployer, Redeployment
from sre_bot.errors import RemediationError
from tests.process_tree import await_gone


def python(code: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code, *arguments)


async def redeploy(
    folder: Path, command: tuple[str, ...], timeout: float = 30.0, service: str = "shop"
) -> Redeployment:
    return await Redeployer(command, timeout, folder).redeploy(service)


async def test_the_service_is_filled_in_and_the_output_of_both_streams_is_kept(tmp_path: Path) -> None:
    code = "import os, sys; print(sys.argv[1:], os.getcwd(), flush=True); print('warning', file=sys.stderr)"
    ended = await redeploy(tmp_path, python(code, "--to={service}", "{service}"))
    assert ended.succeeded
    assert ended.output == f"['--to=shop', 'shop'] {tmp_path}\nwarning"


async def test_no_shell_reads_the_arguments(tmp_path: Path) -> None:
    ended = await redeploy(tmp_path, ("echo", "$HOME `id` {service}; touch x > y"), service="a;b")
    assert ended.output == "$HOME `id` a;b; touch x > y"
    assert not os.listdir(tmp_path)  # noqa: PTH208


async def test_nothing_of_ours_is_in_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGERDUTY_API_KEY", "secret")
    ended = await redeploy(tmp_path, python("import os; print(' '.join(os.environ))"))
    assert "PATH" in ended.output
    assert "PAGERDUTY" not in ended.output


async def test_a_status_that_is_not_zero_is_a_failure(tmp_path: Path) -> None:
    ended = await redeploy(tmp_path, python("raise SystemExit('no such image')"))
    assert not ended.succeeded
    assert ended.ending.startswith("exit status 1 after ")
    assert ended.output == "no such image"


async def test_a_command_beyond_its_time_is_killed_with_its_children(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time; child = subprocess.Popen(['sleep', '600']);"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    for timeout in (1.0, 5.0, 30.0):  # until it came to the point of naming its child
        ended = await redeploy(tmp_path, python(code), timeout=timeout)
        if ended.output:
            break
    assert not ended.succeeded
    assert "REDEPLOY_TIMEOUT" in ended.ending
    await await_gone({int(ended.output)})


async def test_a_child_left_in_the_background_does_not_hold_the_answer(tmp_path: Path) -> None:
    code = "import subprocess; print(subprocess.Popen(['sleep', '60']).pid)"
    ended = await redeploy(tmp_path, python(code))
    assert ended.succeeded
    os.kill(int(ended.output), 9)


async def test_of_an_endless_output_the_last_lines_are_kept(tmp_path: Path) -> None:
    ended = await redeploy(tmp_path, python("for n in range(10**5): print('line', n)\nprint('\\x1b[31mred\\x07')"))
    assert len(ended.output) <= OUTPUT_LIMIT
    assert ended.output.endswith("line 99999\n[31mred")


async def test_a_program_that_is_not_there_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(RemediationError, match=r"'docker-composed' cannot be started .*REDEPLOY_COMMAND"):
        await redeploy(tmp_path, ("docker-composed", "up"))
