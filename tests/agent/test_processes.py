import subprocess
import sys

from sre_bot.agent.processes import resident_bytes, tree

PARENT = (
    "import subprocess, sys\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()'])\n"
    "print(child.pid, flush=True)\n"
    "child.wait()\n"
)
RESTLESS = "while :; do /bin/true; done"


def test_a_tree_is_a_process_and_all_below_it_and_its_memory_is_that_of_all():
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert tree(parent.pid) == {parent.pid, child}
        assert resident_bytes(parent.pid) > resident_bytes(child) > 0
    assert tree(parent.pid) == {parent.pid}
    assert resident_bytes(parent.pid) == 0


def test_processes_that_end_while_they_are_counted_are_no_error():
    with subprocess.Popen(["sh", "-c", RESTLESS]) as restless:
        seen: set[int] = set()
        walks = 0
        while walks < 2000 or len(seen) < 10:
            seen |= tree(restless.pid)
            walks += 1
        restless.kill()
