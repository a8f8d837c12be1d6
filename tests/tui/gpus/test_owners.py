from __future__ import annotations

import getpass
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest
from vramtop.tui.gpus.owners import owner

SCRIPT = "print(flush=True), input()"


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A program that has been loaded and waits; its last argument speaks to terminals."""
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "a\x1b[2Jb\nc"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_a_process_has_a_user_and_a_command_in_one_line(process: subprocess.Popen[bytes]) -> None:
    user, command = owner(process.pid)
    assert user == getpass.getuser()
    assert command == f"{sys.executable} -c {SCRIPT} a [2Jb c"


def test_a_process_that_has_ended_has_nobody(process: subprocess.Popen[bytes]) -> None:
    assert owner(process.pid) != (None, None)
    process.kill()
    process.wait()
    assert owner(process.pid) == (None, None)


def test_a_process_that_ends_between_two_questions_has_nobody(
    process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(process: psutil.Process) -> str:
        raise psutil.NoSuchProcess(process.pid)

    monkeypatch.setattr(psutil.Process, "username", ended)
    monkeypatch.setattr(psutil.Process, "cmdline", ended)
    assert owner(process.pid) == (None, None)


def test_a_process_is_looked_at_once(
    process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = owner(process.pid)
    monkeypatch.setattr(psutil.Process, "cmdline", lambda _: ["another", "command"])
    assert owner(process.pid) == first


def test_a_command_that_is_not_known_yet_is_asked_for_again(
    process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as loading:
        loading.setattr(psutil.Process, "cmdline", lambda _: [])
        assert owner(process.pid) == (getpass.getuser(), None)
    assert SCRIPT in (owner(process.pid)[1] or "")


@pytest.mark.parametrize("pid", [0, 2**31, 2**32 - 1])
def test_a_pid_of_another_namespace_has_nobody(pid: int) -> None:
    assert owner(pid) == (None, None)
