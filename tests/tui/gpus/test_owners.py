from __future__ import annotations

import getpass
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest
from vramtop.tui.gpus.owners import owner

SCRIPT = "print(flush=True), input()"


@pytest.fixture
def process() -> Iterator[psutil.Popen]:
    """A program that has been loaded and waits; its last argument speaks to terminals."""
    with psutil.Popen(
        [sys.executable, "-c", SCRIPT, "a\x1b[2Jb\nc"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        process.stdout.readline()
        yield process
        with suppress(psutil.NoSuchProcess):
            process.kill()


def test_a_process_has_a_user_and_a_command_in_one_line(process: psutil.Popen) -> None:
    user, command = owner(process.pid, process.create_time())
    assert user == getpass.getuser()
    assert command == f"{sys.executable} -c {SCRIPT} a [2Jb c"


def test_a_process_that_has_ended_has_nobody(process: psutil.Popen) -> None:
    born = process.create_time()
    process.kill()
    process.wait()
    assert owner(process.pid, born) == (None, None)


def test_a_process_that_ends_between_two_questions_has_nobody(
    process: psutil.Popen, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(process: psutil.Process) -> str:
        raise psutil.NoSuchProcess(process.pid)

    monkeypatch.setattr(psutil.Process, "username", ended)
    monkeypatch.setattr(psutil.Process, "cmdline", ended)
    assert owner(process.pid, process.create_time()) == (None, None)


def test_a_process_is_looked_at_once(
    process: psutil.Popen, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = owner(process.pid, process.create_time())
    monkeypatch.setattr(psutil.Process, "cmdline", lambda _: ["another", "command"])
    assert owner(process.pid, process.create_time()) == first


def test_a_command_that_is_not_known_yet_is_asked_for_again(
    process: psutil.Popen, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as loading:
        loading.setattr(psutil.Process, "cmdline", lambda _: [])
        assert owner(process.pid, process.create_time()) == (getpass.getuser(), None)
    assert SCRIPT in (owner(process.pid, process.create_time())[1] or "")
