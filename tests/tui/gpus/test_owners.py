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
    user, command = owner(process)
    assert user == getpass.getuser()
    assert command == f"{sys.executable} -c {SCRIPT} a [2Jb c"


def test_a_process_that_has_ended_has_nobody(process: psutil.Popen) -> None:
    process.kill()
    process.wait()
    assert owner(process) == (None, None)


def test_a_command_is_not_known_while_the_program_is_being_loaded(
    process: psutil.Popen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil.Process, "cmdline", lambda _: [])
    assert owner(process) == (getpass.getuser(), None)


def test_a_user_without_a_name_is_a_number(
    process: psutil.Popen, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = process.uids()
    monkeypatch.setattr(psutil.Process, "uids", lambda _: ids._replace(real=2_000_000_001))
    assert owner(process)[0] == "2000000001"
