"""Which processes get a signal, and which never do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest
from vramtop.tui.programs.signalled import CannotSignal, check, send

WAITING = "import sys, time; print('ready', flush=True); time.sleep(600)"
NOBODY = 65534


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    """A process of our own that waits."""
    process = subprocess.Popen([sys.executable, "-c", WAITING], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    with process:
        yield process
        process.kill()


def started(pid: int) -> float:
    return float(psutil.Process(pid).create_time())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_process_gets_the_signal(child: subprocess.Popen[str], number: signal.Signals) -> None:
    send(child.pid, started(child.pid), number)
    assert child.wait(60) == -number


def test_another_process_with_the_same_number_gets_none(child: subprocess.Popen[str]) -> None:
    with pytest.raises(CannotSignal, match=f"process {child.pid} has ended; another one has its"):
        send(child.pid, started(child.pid) - 60, signal.SIGKILL)
    assert child.poll() is None


def test_a_process_of_which_nothing_is_known_gets_none(child: subprocess.Popen[str]) -> None:
    with pytest.raises(CannotSignal, match="nothing is known"):
        send(child.pid, None, signal.SIGKILL)
    assert child.poll() is None


def test_one_that_has_ended_is_told_so(child: subprocess.Popen[str]) -> None:
    born = started(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(CannotSignal, match="only its exit code is left"):
        check(child.pid, born)
    child.wait()
    with pytest.raises(CannotSignal, match=f"process {child.pid} has ended$"):
        send(child.pid, born, signal.SIGTERM)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_only_its_user_and_root_may_end_it(child: subprocess.Popen[str]) -> None:
    """Asked by another user, in a process of that user's."""
    born = started(child.pid)
    check(child.pid, born)  # as root
    asking = os.fork()
    if not asking:
        os.setuid(NOBODY)
        try:
            send(child.pid, born, signal.SIGKILL)
        except CannotSignal as refusal:
            os._exit(7 if "belongs to root: only root" in str(refusal) else 8)
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(asking, 0)[1]) == 7
    assert child.poll() is None
